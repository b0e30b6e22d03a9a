#include "comparisons.hpp"

#include <algorithm>
#include <cmath>
#include <tuple>
#include <unordered_map>
#include <utility>

namespace {

std::size_t required_column(csv_table const& file, std::string_view name) {
  auto const column = file.find(name);
  if (!column) throw at(file.file(), file.line(), name, "missing column, expected winner, loser and, if wanted, count");
  return *column;
}

double read_count(csv_table const& file, std::size_t column) {
  double const count = file.number<double>(column);
  if (!std::isfinite(count) || count < 0) {
    throw file.error(column, "got " + in_quotes(file.text(column)) + ", expected a finite number >= 0");
  }
  return count;
}

/// Sorts, and adds up what is of the same winner and loser.
void merge(std::vector<wins>& decided) {
  std::ranges::stable_sort(decided, {}, [](wins const& w) { return std::pair{w.winner, w.loser}; });
  std::size_t kept = 0;
  for (wins const& w : decided) {
    if (kept != 0 && decided[kept - 1].winner == w.winner && decided[kept - 1].loser == w.loser) {
      decided[kept - 1].count += w.count;
    } else {
      decided[kept++] = w;
    }
  }
  decided.resize(kept);
}

}  // namespace

comparisons read_comparisons(csv_table& file) {
  std::size_t const winner_column = required_column(file, "winner");
  std::size_t const loser_column = required_column(file, "loser");
  auto const count_column = file.find("count");
  for (std::string const& name : file.header()) {
    if (name == "winner" || name == "loser" || name == "count") continue;
    throw at(file.file(), file.line(), name, "unknown column, expected winner, loser and, if wanted, count");
  }

  comparisons result;
  std::unordered_map<std::string, std::size_t> numbers;
  auto const item = [&](std::size_t column) {
    if (file.text(column).empty()) throw file.error(column, "got empty, expected the name of an item");
    auto const [found, added] = numbers.try_emplace(std::string{file.text(column)}, result.items.size());
    if (added) result.items.push_back(found->first);
    return found->second;
  };
  while (file.next_row()) {
    std::size_t const winner = item(winner_column);
    std::size_t const loser = item(loser_column);
    double const count = count_column ? read_count(file, *count_column) : 1;
    ++result.rows;
    result.total += count;
    if (count == 0) continue;
    if (winner == loser)
      throw file.error(loser_column, in_quotes(file.text(loser_column)) + " is compared with itself");
    result.decided.push_back({winner, loser, count});
  }
  if (result.rows == 0) throw at(file.file(), 0, {}, "only a header, expected at least one row");
  if (result.decided.empty()) throw at(file.file(), 0, "count", "0 in all rows, expected a comparison");
  merge(result.decided);
  return result;
}
