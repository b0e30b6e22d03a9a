#include "comparisons.hpp"

#include <cmath>
#include <utility>

namespace {

std::size_t required_column(csv_table const& file, std::string_view name) {
  if (auto const column = file.find(name)) return *column;
  bool const has_neither = !file.find("winner") && !file.find("loser");
  throw error_at(file.file(), file.line(), name,
                 std::string{"missing column, expected winner, loser and, if wanted, count"} +
                     (has_neither ? "; a file of rankings needs --rankings" : ""));
}

double read_count(csv_table const& file, std::size_t column) {
  double const count = file.number<double>(column);
  if (!std::isfinite(count) || count < 0) {
    throw file.error(column, "got " + in_quotes(file.text(column)) + ", expected a finite number >= 0");
  }
  return count;
}

}  // namespace

rankings read_comparisons(csv_table& file) {
  std::size_t const winner_column = required_column(file, "winner");
  std::size_t const loser_column = required_column(file, "loser");
  auto const count_column = file.find("count");
  for (std::string const& name : file.header()) {
    if (name == "winner" || name == "loser" || name == "count") continue;
    throw error_at(file.file(), file.line(), name, "unknown column, expected winner, loser and, if wanted, count");
  }

  ranking_collector collector;
  auto const item = [&](std::size_t column) {
    if (file.text(column).empty()) throw file.error(column, "got empty, expected the name of an item");
    return collector.item(file.text(column));
  };
  bool has_rows = false;
  while (file.next_row()) {
    has_rows = true;
    std::size_t const winner = item(winner_column);
    std::size_t const loser = item(loser_column);
    double const count = count_column ? read_count(file, *count_column) : 1;
    if (count != 0 && winner == loser) {
      throw file.error(loser_column, in_quotes(file.text(loser_column)) + " is compared with itself");
    }
    collector.add({{winner, loser}, 1, count});
  }
  if (!has_rows) throw error_at(file.file(), 0, {}, "only a header, expected at least one row");
  rankings comparisons = std::move(collector).collected();
  if (comparisons.ranked.empty()) throw error_at(file.file(), 0, "count", "0 in all rows, expected a comparison");
  return comparisons;
}
