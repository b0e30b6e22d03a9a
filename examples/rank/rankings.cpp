#include "rankings.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

bool are_comparisons(rankings const& data) {
  return std::ranges::all_of(data.ranked, [](ranking const& r) { return r.items.size() == 2; });
}

std::size_t ranking_collector::hash::operator()(ranking const& r) const {
  std::size_t value = 0;
  auto const mix = [&](std::size_t number) {
    value = (value ^ number) * 0x9e3779b97f4a7c15U;
    value ^= value >> 29;
  };
  for (std::size_t const item : r.items) mix(item);
  for (std::size_t const end : r.ends) mix(end);
  return value;
}

std::size_t ranking_collector::item(std::string_view name) {
  auto const [found, is_new] = numbers_.try_emplace(std::string{name}, items_.size());
  if (is_new) items_.push_back(found->first);
  return found->second;
}

void ranking_collector::add(ranking added) {
  if (added.count == 0) return;
  if (others_ == unnamed::last) {
    incomplete_.push_back(std::move(added));
  } else {
    count(std::move(added));
  }
}

void ranking_collector::count(ranking added) {
  auto& [items, ends, times] = added;
  // The last item that is left is not chosen from anything.
  std::size_t const last_begins = ends.size() > 1 ? ends[ends.size() - 2] : 0;
  if (!ends.empty() && ends.back() == items.size() && last_begins + 1 == items.size()) ends.pop_back();
  if (ends.empty()) {
    total_without_choice_ += times;
    return;
  }
  total_ += times;
  auto begin = items.begin();
  for (std::size_t const end : ends) {
    auto const place_ends = items.begin() + static_cast<std::ptrdiff_t>(end);
    std::sort(begin, place_ends);
    begin = place_ends;
  }
  std::sort(begin, items.end());
  double const more = times;
  counts_[std::move(added)] += more;
}

rankings ranking_collector::collected() && {
  std::vector<char> is_named(items_.size());
  for (ranking& r : incomplete_) {
    std::ranges::fill(is_named, 0);
    for (std::size_t const item : r.items) is_named[item] = 1;
    for (std::size_t item = 0; item < is_named.size(); ++item) {
      if (!is_named[item]) r.items.push_back(item);
    }
    count(std::move(r));
  }
  rankings data{std::move(items_), {}, total_, total_without_choice_};
  data.ranked.reserve(counts_.size());
  while (!counts_.empty()) {
    auto node = counts_.extract(counts_.begin());
    node.key().count = node.mapped();
    data.ranked.push_back(std::move(node.key()));
  }
  std::ranges::sort(data.ranked, [](ranking const& a, ranking const& b) {
    if (a.ends.size() != b.ends.size()) return a.ends.size() < b.ends.size();
    return std::tie(a.items, a.ends) < std::tie(b.items, b.ends);
  });
  return data;
}
