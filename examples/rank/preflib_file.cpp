#include "preflib_file.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "blanks.hpp"
#include "joined_ranking.hpp"
#include "number_text.hpp"

namespace {

constexpr std::string_view alternative_name = "ALTERNATIVE NAME";

/// Whether a comment's text is of a name, with or without what has to follow: no file is one of PrefLib's without names.
bool names_alternative(std::string_view text) {
  return text.starts_with(alternative_name) &&
         (text.size() == alternative_name.size() ||
          std::string_view{" \t:"}.find(text[alternative_name.size()]) != std::string_view::npos);
}

/// What stands above the orders.
struct preflib_header {
  std::map<unsigned, std::size_t> items{};  ///< by the alternatives' numbers
  bool is_complete = false;                 ///< every order has all alternatives
  struct {
    std::optional<double> number;
    text_line line;
  } voters{};
  std::span<text_line const> orders{};  ///< the lines below, comments among them
  order_notation notation = order_notation::count_colon;
};

double read_number(text_line const& line, std::string_view where, std::string_view text) {
  auto const [number, problem] = parse_number<double>(text);
  if (!problem.empty()) throw line.error(where, "got " + problem);
  return number;
}

void add_alternative(preflib_header& header, ranking_collector& collector, text_line const& line,
                     std::string_view where, std::string_view number_of, std::string_view name) {
  auto const [number, problem] = parse_number<unsigned>(number_of);
  if (!problem.empty()) throw line.error(where, "got " + problem);
  if (name.empty()) throw line.error(where, "got empty, expected the name of an item");
  std::size_t const known = header.items.size();
  auto const [place, is_new] = header.items.try_emplace(number, collector.item(name));
  if (!is_new) throw line.error(where, "given twice");
  if (place->second != known) throw line.error(where, "the name " + in_quotes(name) + " is given twice");
}

/// "# KEY: VALUE"
preflib_header read_comments(text_lines const& file, ranking_collector& collector) {
  preflib_header header{.orders = file.lines()};
  for (text_line const& line : file.lines()) {
    if (!line.is_comment()) continue;
    std::size_t const colon = std::min(line.text.find(':'), line.text.size());
    auto const key = without_blanks_around(line.text.substr(1, std::max<std::size_t>(colon, 1) - 1));
    auto const value = without_blanks_around(line.text.substr(std::min(colon + 1, line.text.size())));
    if (names_alternative(key)) {
      if (colon == line.text.size())
        throw line.error(in_quotes(key), "got no ':', expected one and the name of an item");
      add_alternative(header, collector, line, key, without_blanks_around(key.substr(alternative_name.size())), value);
    } else if (key == "DATA TYPE") {
      if (value != "soc" && value != "soi" && value != "toc" && value != "toi") {
        throw line.error(key, "got " + in_quotes(value) + ", expected soc, soi, toc or toi");
      }
      header.is_complete = value == "soc" || value == "toc";
    } else if (key == "NUMBER VOTERS") {
      header.voters = {read_number(line, key, value), line};
    }
  }
  return header;
}

/// The number of alternatives; NUMBER,NAME of each; the numbers of voters, of their votes and of the orders below.
preflib_header read_old_header(text_lines const& file, ranking_collector& collector) {
  preflib_header header{.notation = order_notation::count_comma};
  std::span<text_line const> const lines = file.lines();
  text_line const& first = lines.front();
  auto const alternatives = parse_number<unsigned>(first.text).value;
  if (lines.size() < std::size_t{alternatives} + 2) {
    throw first.error(
        {}, "got " + in_quotes(first.text) + " alternatives, but only " + std::to_string(lines.size() - 1) +
                " lines below, expected a line for each and one with the numbers of voters, votes and orders");
  }
  for (text_line const& line : lines.subspan(1, alternatives)) {
    std::size_t const comma = line.text.find(',');
    if (comma == std::string_view::npos) {
      throw line.error({},
                       "got " + in_quotes(line.text) + ", expected the number and name of an alternative, as 3,tea");
    }
    add_alternative(header, collector, line, "alternative", without_blanks_around(line.text.substr(0, comma)),
                    without_blanks_around(line.text.substr(comma + 1)));
  }
  text_line const& numbers = lines[alternatives + 1];
  std::size_t const begin = numbers.text.find(','),
                    end = numbers.text.find(',', begin == std::string_view::npos ? begin : begin + 1);
  if (end == std::string_view::npos || numbers.text.find(',', end + 1) != std::string_view::npos) {
    throw numbers.error(
        {}, "got " + in_quotes(numbers.text) + ", expected the numbers of voters, votes and orders, as 12,12,5");
  }
  header.voters = {
      read_number(numbers, "votes", without_blanks_around(numbers.text.substr(begin + 1, end - begin - 1))), numbers};
  header.orders = lines.subspan(alternatives + 2);
  double const orders = read_number(numbers, "orders", without_blanks_around(numbers.text.substr(end + 1)));
  if (orders != static_cast<double>(header.orders.size())) {
    throw numbers.error(
        "orders", "got " + number_text(orders) + ", but " + std::to_string(header.orders.size()) + " lines follow");
  }
  return header;
}

bool is_named_in_comments(text_lines const& file) {
  return std::ranges::any_of(file.lines(), [](text_line const& line) {
    return line.is_comment() && names_alternative(without_blanks_around(line.text.substr(1)));
  });
}

bool is_old(text_lines const& file) {
  auto const& lines = file.lines();
  if (lines.size() < 2) return false;
  auto const alternatives = parse_number<unsigned>(lines[0].text);
  auto const number = parse_number<unsigned>(without_blanks_around(lines[1].text.substr(0, lines[1].text.find(','))));
  return alternatives.problem.empty() && alternatives.value > 0 && number.problem.empty() &&
         lines[1].text.find(',') != std::string_view::npos;
}

}  // namespace

bool is_preflib(text_lines const& file) { return is_named_in_comments(file) || is_old(file); }

rankings read_preflib(text_lines const& file, ranking_reading const& reading) {
  ranking_collector collector{reading.others};
  preflib_header const header =
      is_named_in_comments(file) ? read_comments(file, collector) : read_old_header(file, collector);
  std::string const expected = ", expected the number of an alternative, " +
                               std::to_string(header.items.begin()->first) + " to " +
                               std::to_string(header.items.rbegin()->first);
  double voters = 0;
  for (text_line const& line : header.orders) {
    if (line.is_comment()) continue;
    auto const written = parse_preflib_order(line, header.notation);
    ranking order = joined_ranking(line, written, reading, [&](std::string const& text, auto const& error) {
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
    throw line.error(line.is_comment() ? "NUMBER VOTERS" : "votes",
                     "got " + number_text(*number) + ", but the counts add up to " + number_text(voters));
  }
  return std::move(collector).collected();
}
