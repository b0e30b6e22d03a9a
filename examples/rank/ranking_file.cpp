#include "ranking_file.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "joined_ranking.hpp"
#include "number_text.hpp"
#include "preflib_file.hpp"

namespace {

rankings read_named(text_lines const& file, ranking_reading const& reading) {
  ranking_collector collector{reading.others};
  struct first_line {
    std::size_t number;
    bool has_count;
  };
  std::optional<first_line> first;
  for (text_line const& line : file.lines()) {
    if (line.is_comment()) continue;
    written_ranking const written = parse_ranking(line);
    // Alone in a line, tied items say that they are tied, and one item that it is above those that are not named.
    bool const says_something = written.places.size() > 1 || reading.others == unnamed::last ||
                                (reading.has_ties && written.places.front().size() > 1);
    if (!says_something) {
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
    collector.add(
        joined_ranking(line, written, reading, [&](std::string const& name, auto&&) { return collector.item(name); }));
  }
  if (!first) throw error_at(file.file(), 0, {}, "empty, expected rankings, one a line");
  return std::move(collector).collected();
}

}  // namespace

bool holds_rankings(text_lines const& file) {
  if (is_preflib(file)) return true;
  auto const first = std::ranges::find_if_not(file.lines(), &text_line::is_comment);
  if (first == file.lines().end()) return false;
  auto const has = [&](char c) { return first->text.find(c) != std::string_view::npos; };
  return has('>') || (has('=') && !has(','));
}

rankings read_rankings(text_lines const& file, ranking_reading const& reading) {
  rankings read = is_preflib(file) ? read_preflib(file, reading) : read_named(file, reading);
  if (read.ranked.empty())
    throw error_at(file.file(), 0, {}, "no ranking with a count above 0 puts an item above another");
  return read;
}
