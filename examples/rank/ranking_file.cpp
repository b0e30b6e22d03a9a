#include "ranking_file.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "number_text.hpp"
#include "written_ranking.hpp"

namespace {

constexpr std::string_view alternative_name = "ALTERNATIVE NAME ";

bool is_comment(text_line const& line) { return line.text.starts_with('#'); }

/// Joins the names or numbers of a line with the items.
template <class ItemOf>
ranking joined(text_line const& line, written_ranking const& written, ItemOf item_of) {
  ranking result{{}, written.places.size() - 1, written.count.value_or(1)};
  std::unordered_set<std::size_t> seen;
  for (std::size_t place = 0; place < written.places.size(); ++place) {
    auto const& names = written.places[place];
    auto const error = [&](std::string_view message) {
      return line.error("place " + std::to_string(place + 1), message);
    };
    if (names.size() > 1 && place + 1 < written.places.size()) {
      throw error("got " + std::to_string(names.size()) + " items in no order, which only the last place may have");
    }
    for (std::string const& name : names) {
      std::size_t const item = item_of(name, error);
      if (!seen.insert(item).second) throw error(in_quotes(name) + " is in this ranking twice");
      result.items.push_back(item);
    }
  }
  return result;
}

rankings read_named(text_lines const& file) {
  ranking_collector collector;
  struct first_line {
    std::size_t number;
    bool has_count;
  };
  std::optional<first_line> first;
  for (text_line const& line : file.lines()) {
    if (is_comment(line)) continue;
    written_ranking const written = parse_ranking(line);
    if (written.places.size() == 1) {
      throw line.error({}, "got " + in_quotes(line.text) + ", expected items with > between them, the best first");
    }
    if (!first) first = {line.number, written.count.has_value()};
    // Else "2001: A Space Odyssey > Alien" would go unnoticed.
    if (first->has_count != written.count.has_value()) {
      std::string const other = " as line " + std::to_string(first->number);
      throw line.error("count", written.count ? "got " + number_text(*written.count) + ":, expected no count" + other +
                                                    " (a name that begins with a number and a colon needs quotes)"
                                              : "missing, expected one" + other);
    }
    collector.add(joined(line, written, [&](std::string const& name, auto&&) { return collector.item(name); }));
  }
  if (!first) throw error_at(file.file(), 0, {}, "empty, expected rankings, one a line");
  return std::move(collector).collected();
}

/// What PrefLib writes as "# KEY: VALUE" above the orders.
struct preflib_header {
  std::map<unsigned, std::size_t> items;  ///< by the alternatives' numbers
  bool is_complete = false;               ///< every order has all alternatives
  struct {
    std::optional<double> number;
    text_line line;
  } voters{};
};

preflib_header read_preflib_header(text_lines const& file, ranking_collector& collector) {
  preflib_header header;
  for (text_line const& line : file.lines()) {
    std::size_t const colon = line.text.find(':');
    if (!is_comment(line) || colon == std::string_view::npos) continue;
    auto const key = without_blanks_around(line.text.substr(1, colon - 1));
    auto const value = without_blanks_around(line.text.substr(colon + 1));
    if (key.starts_with(alternative_name)) {
      auto const [number, problem] = parse_number<unsigned>(key.substr(alternative_name.size()));
      if (!problem.empty()) throw line.error(key, "got " + problem);
      if (value.empty()) throw line.error(key, "got empty, expected the name of an item");
      std::size_t const known = header.items.size();
      auto const [place, is_new] = header.items.try_emplace(number, collector.item(value));
      if (!is_new) throw line.error(key, "given twice");
      if (place->second != known) throw line.error(key, "the name " + in_quotes(value) + " is given twice");
    } else if (key == "DATA TYPE") {
      if (value != "soc" && value != "soi" && value != "toc" && value != "toi") {
        throw line.error(key, "got " + in_quotes(value) + ", expected soc, soi, toc or toi");
      }
      header.is_complete = value == "soc" || value == "toc";
    } else if (key == "NUMBER VOTERS") {
      auto const [number, problem] = parse_number<double>(value);
      if (!problem.empty()) throw line.error(key, "got " + problem);
      header.voters = {number, line};
    }
  }
  return header;
}

rankings read_preflib(text_lines const& file) {
  ranking_collector collector;
  preflib_header const header = read_preflib_header(file, collector);
  std::string const expected = ", expected the number of an alternative, " +
                               std::to_string(header.items.begin()->first) + " to " +
                               std::to_string(header.items.rbegin()->first);
  double voters = 0;
  for (text_line const& line : file.lines()) {
    if (is_comment(line)) continue;
    ranking order = joined(line, parse_preflib_order(line), [&](std::string const& text, auto const& error) {
      auto const [number, problem] = parse_number<unsigned>(text);
      auto const found = problem.empty() ? header.items.find(number) : header.items.end();
      if (found == header.items.end()) throw error("got " + (text.empty() ? "empty" : in_quotes(text)) + expected);
      return found->second;
    });
    if (header.is_complete && order.items.size() != header.items.size()) {
      throw line.error({}, "got " + std::to_string(order.items.size()) + " of " + std::to_string(header.items.size()) +
                               " alternatives, expected all, as the DATA TYPE is complete");
    }
    voters += order.count;
    collector.add(std::move(order));
  }
  if (auto const& [number, line] = header.voters; number && *number != voters) {
    throw line.error("NUMBER VOTERS",
                     "got " + number_text(*number) + ", but the counts add up to " + number_text(voters));
  }
  return std::move(collector).collected();
}

bool is_preflib(text_lines const& file) {
  for (text_line const& line : file.lines()) {
    if (is_comment(line) && without_blanks_around(line.text.substr(1)).starts_with(alternative_name)) return true;
  }
  return false;
}

}  // namespace

bool holds_rankings(text_lines const& file) {
  auto const first = std::ranges::find_if_not(file.lines(), is_comment);
  return is_preflib(file) || (first != file.lines().end() && first->text.find('>') != std::string_view::npos);
}

rankings read_rankings(text_lines const& file) {
  rankings read = is_preflib(file) ? read_preflib(file) : read_named(file);
  if (read.ranked.empty())
    throw error_at(file.file(), 0, {}, "no ranking with a count above 0 puts an item above another");
  return read;
}
