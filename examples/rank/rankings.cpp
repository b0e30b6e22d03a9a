#include "rankings.hpp"

#include <tuple>
#include <utility>

std::size_t ranking_collector::item(std::string_view name) {
  auto const [found, is_new] = numbers_.try_emplace(std::string{name}, data_.items.size());
  if (is_new) data_.items.push_back(found->first);
  return found->second;
}

void ranking_collector::add(ranking added) {
  if (added.count == 0) return;
  if (added.choices == 0) {
    data_.total_without_choice += added.count;
    return;
  }
  data_.total += added.count;
  std::sort(added.items.begin() + static_cast<std::ptrdiff_t>(added.choices), added.items.end());
  data_.ranked.push_back(std::move(added));
}

rankings ranking_collector::collected() && {
  auto& ranked = data_.ranked;
  std::ranges::stable_sort(ranked, {}, [](ranking const& r) { return std::tie(r.choices, r.items); });
  std::size_t kept = 0;
  for (ranking& r : ranked) {
    if (kept != 0 && ranked[kept - 1] == r) {
      ranked[kept - 1].count += r.count;
    } else if (ranking& place = ranked[kept++]; &place != &r) {
      place = std::move(r);
    }
  }
  ranked.resize(kept);
  return std::move(data_);
}
