#include "comparisons.hpp"

#include <cmath>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "battle_columns.hpp"
#include "number_text.hpp"

namespace {

/// Where a table has what.
struct comparison_columns {
  std::size_t winner = 0, loser = 0;
  std::optional<battle_columns> battles{};  ///< instead
  std::optional<std::size_t> count{}, by{};

  bool has(std::size_t column) const {
    return (battles ? battles->has(column) : column == winner || column == loser) || column == count || column == by;
  }
};

comparison_columns find_columns(column_table const& file, comparison_reading const& reading) {
  auto const find = [&](std::string_view name) { return file.find(name); };
  auto const error = [&](std::string_view where, std::string_view message) {
    return error_at(file.file(), file.line(), where, message);
  };
  comparison_columns columns{.count = find("count")};
  if (reading.by && !(columns.by = find(*reading.by))) {
    std::string known;
    for (std::string const& name : file.header()) {
      if (name.empty()) continue;
      known.append(known.empty() ? "" : ", ").append(in_quotes(name));
    }
    throw error({}, "--by: no column " + in_quotes(*reading.by) + ", expected one of " + known);
  }
  auto const winner = find("winner"), loser = find("loser");
  if (!winner || !loser) columns.battles = find_battle_columns(find);
  if (columns.battles) {
    if (columns.battles->winner || columns.battles->won) return columns;
    throw error("winner", "missing column, " + columns.battles->expected_columns());
  }
  for (auto const& [column, name] : {std::pair{winner, "winner"}, {loser, "loser"}}) {
    if (column) continue;
    throw error(name, std::string{"missing column, expected winner, loser and, if wanted, count"} +
                          (winner || loser ? "" : "; a file of rankings needs --rankings"));
  }
  columns.winner = *winner;
  columns.loser = *loser;
  return columns;
}

double read_count(column_table const& file, std::size_t column) {
  if (file.is_absent(column)) return 1;
  auto const text = file.text(column);
  auto const [count, problem] = parse_number<double>(text);
  if (!problem.empty()) throw file.error(column, "got " + problem);
  if (!std::isfinite(count) || count < 0) {
    throw file.error(column, "got " + in_quotes(text) + ", expected a finite number >= 0");
  }
  return count;
}

/// Of a winner's text that names one item and is the word for something else.
std::string ambiguous(battle_columns const& columns, std::string_view winner, battle_outcome named,
                      battle_outcome word) {
  bool const is_first = named == battle_outcome::first;
  std::string const &item = is_first ? columns.first_name : columns.second_name,
                    &other = is_first ? columns.second_name : columns.first_name;
  return "got " + in_quotes(winner) + ", which names the item in " + item + " and is the word for " +
         (word == battle_outcome::tie ? "a tie" : "that in " + other) +
         ", expected a text with one meaning; columns winner,loser have names only";
}

battle_outcome read_outcome(column_table const& file, battle_columns const& columns, bool has_ties,
                            std::string_view first, std::string_view second) {
  std::size_t const column = columns.winner ? *columns.winner : columns.won->tie;
  std::optional<battle_outcome> outcome;
  if (columns.winner) {
    auto const winner = file.text(column);
    outcome = outcome_by_word(columns, winner);
    if (auto const named = outcome_by_name(winner, first, second); named && outcome != named) {
      bool const is_word = outcome && (has_ties || *outcome != battle_outcome::tie);
      if (is_word) throw file.error(column, ambiguous(columns, winner, *named, *outcome));
      outcome = named;
    }
    if (!outcome) {
      throw file.error(
          column, "got " + (winner.empty() ? "empty" : in_quotes(winner)) + ", expected " + columns.expected_winner());
    }
  } else {
    auto const& [of_first, of_second, of_tie] = *columns.won;
    std::string const a{file.text(of_first)}, b{file.text(of_second)}, tie{file.text(of_tie)};
    outcome = outcome_of_three(a, b, tie);
    if (!outcome) {
      throw file.error(of_first, "got " + in_quotes(a + "," + b + "," + tie) +
                                     " in the three columns of the winner, expected a 1 and two 0");
    }
  }
  if (*outcome == battle_outcome::tie && !has_ties) {
    throw file.error(column, "got a tie, expected none without --ties half, davidson or rao-kupper");
  }
  return *outcome;
}

/// The columns that are not read, of battles. Among wins and losses they may be misspelt counts, and are refused.
std::vector<std::string> notes_of(column_table const& file, comparison_columns const& columns) {
  std::string names;
  for (std::size_t column = 0; column < file.header().size(); ++column) {
    std::string const& name = file.header()[column];
    if (columns.has(column) || name.empty()) continue;
    if (!columns.battles) {
      throw error_at(file.file(), file.line(), name, "unknown column, expected winner, loser and, if wanted, count");
    }
    names.append(names.empty() ? "" : ", ").append(in_quotes(name));
  }
  if (names.empty()) return {};
  return {"note: columns that are not read: " + names};
}

}  // namespace

comparison_categories read_comparisons(column_table& file, comparison_reading const& reading) {
  std::string const note_on_index = file.ignore_index();
  comparison_columns columns = find_columns(file, reading);
  if (!columns.battles) notes_of(file, columns);

  std::vector<std::string> names;
  std::unordered_map<std::string, std::size_t> numbers;
  std::vector<ranking_collector> collectors;
  auto const collector_of_row = [&]() -> ranking_collector& {
    std::string name{columns.by ? file.text(*columns.by) : std::string_view{}};
    auto const [found, is_new] = numbers.try_emplace(std::move(name), names.size());
    if (is_new) {
      names.push_back(found->first);
      collectors.emplace_back();
    }
    return collectors[found->second];
  };
  auto const name_of = [&](std::size_t column) {
    std::string name{file.text(column)};
    if (name.empty()) throw file.error(column, "got empty, expected the name of an item");
    return name;
  };
  std::size_t const first_column = columns.battles ? columns.battles->first : columns.winner;
  std::size_t const second_column = columns.battles ? columns.battles->second : columns.loser;
  std::size_t known = file.header().size();
  while (file.next_row()) {
    if (file.header().size() != known) {  // as JSON's may grow
      known = file.header().size();
      columns.count = file.find("count");
      if (!columns.battles) notes_of(file, columns);
    }
    std::string const first = name_of(first_column), second = name_of(second_column);
    ranking_collector& collector = collector_of_row();
    std::size_t const first_item = collector.item(first), second_item = collector.item(second);
    double const count = columns.count ? read_count(file, *columns.count) : 1;
    if (count != 0 && first == second) throw file.error(second_column, in_quotes(second) + " is compared with itself");
    auto const outcome =
        columns.battles ? read_outcome(file, *columns.battles, reading.has_ties, first, second) : battle_outcome::first;
    switch (outcome) {
      case battle_outcome::first:
        collector.add({{first_item, second_item}, {1}, count});
        break;
      case battle_outcome::second:
        collector.add({{second_item, first_item}, {1}, count});
        break;
      case battle_outcome::tie:
        collector.add({{first_item, second_item}, {2}, count});
        break;
    }
  }
  if (names.empty()) throw error_at(file.file(), 0, {}, "only a header, expected at least one row");
  comparison_categories result;
  for (std::size_t i = 0; i < names.size(); ++i) {
    result.categories.push_back({std::move(names[i]), std::move(collectors[i]).collected()});
    if (result.categories.back().comparisons.ranked.empty()) {
      std::string const where =
          columns.by ? *reading.by + " " + in_quotes(result.categories.back().name) + ": count" : "count";
      throw error_at(file.file(), 0, where, "0 in all rows, expected a comparison");
    }
  }
  if (columns.battles) result.notes = notes_of(file, columns);
  for (std::string const& note : {note_on_index, file.note()}) {
    if (!note.empty()) result.notes.push_back(note);
  }
  return result;
}
