#include "fitted_category.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

std::vector<std::size_t> fitted_category::order(bool best_first) const {
  std::vector<std::size_t> items(data.items.size());
  std::iota(items.begin(), items.end(), std::size_t{0});
  if (best_first)
    std::ranges::stable_sort(items, std::ranges::greater{}, [&](std::size_t item) { return fit.worth[item]; });
  return items;
}

double shown_worth(double worth, std::optional<elo_scale> const& elo) {
  return elo ? elo->anchor_rating + shown_error(worth, elo) : worth;
}

double shown_error(double error, std::optional<elo_scale> const& elo) {
  return elo ? error * (elo->points / std::log(elo->base)) : error;
}
