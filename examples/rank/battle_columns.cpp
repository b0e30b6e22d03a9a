#include "battle_columns.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "number_text.hpp"
#include "written_words.hpp"

namespace {

constexpr std::array<std::pair<char const*, char const*>, 4> item_columns{
    {{"model_a", "model_b"}, {"left", "right"}, {"item_a", "item_b"}, {"player_a", "player_b"}}};

constexpr std::array words_of_ties{"tie", "tie (bothbad)", "tie (inconsistent)", "bothbad", "both_bad", "draw"};

}  // namespace

bool battle_columns::has(std::size_t column) const {
  return column == first || column == second || (winner && column == *winner) ||
         (won && (column == won->first || column == won->second || column == won->tie));
}

std::string battle_columns::expected_columns() const {
  return "expected winner (" + expected_winner() + "), or winner_" + first_name + ", winner_" + second_name +
         " and winner_tie (0 or 1)";
}

std::string battle_columns::expected_winner() const {
  return first_name + ", " + second_name + ", tie, or the name of one of the two";
}

std::optional<battle_columns> find_battle_columns(
    std::function<std::optional<std::size_t>(std::string_view)> const& find) {
  for (auto const& [first_name, second_name] : item_columns) {
    auto const first = find(first_name), second = find(second_name);
    if (!first || !second) continue;
    battle_columns columns{first_name, second_name, *first, *second, {}, {}};
    for (auto const* name : {"winner", "label"}) {
      if (!columns.winner) columns.winner = find(name);
    }
    std::string const prefix = "winner_";
    auto const first_won = find(prefix + first_name), second_won = find(prefix + second_name),
               tied = find(prefix + "tie");
    if (!columns.winner && first_won && second_won && tied) {
      columns.won = battle_columns::three{*first_won, *second_won, *tied};
    }
    return columns;
  }
  return {};
}

std::optional<battle_outcome> outcome_by_word(battle_columns const& columns, std::string_view winner) {
  if (winner == columns.first_name) return battle_outcome::first;
  if (winner == columns.second_name) return battle_outcome::second;
  if (std::ranges::find(words_of_ties, winner) != words_of_ties.end()) return battle_outcome::tie;
  return {};
}

std::optional<battle_outcome> outcome_by_name(std::string_view winner, std::string_view first,
                                              std::string_view second) {
  if (winner == first) return battle_outcome::first;
  if (winner == second) return battle_outcome::second;
  return {};
}

std::optional<battle_outcome> outcome_of_three(std::string_view first, std::string_view second, std::string_view tie) {
  int ones = 0;
  battle_outcome outcome{};
  for (auto const& [text, meaning] :
       {std::pair{first, battle_outcome::first}, {second, battle_outcome::second}, {tie, battle_outcome::tie}}) {
    auto const word = truth_of_word(text);
    auto const [number, problem] = parse_number<double>(text);
    bool const is_one = word == true || (problem.empty() && number == 1);
    bool const is_zero = word == false || (problem.empty() && number == 0);
    if (!is_one && !is_zero) return {};
    if (!is_one) continue;
    ++ones;
    outcome = meaning;
  }
  if (ones != 1) return {};
  return outcome;
}
