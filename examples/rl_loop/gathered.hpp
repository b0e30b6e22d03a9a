#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "ranks.hpp"

/// Of all ranks, in order, what each has from `first` on: sums with zeros have no rounding.
inline std::vector<double> gathered(ranks const& all, std::size_t count, std::size_t first,
                                    std::span<double const> own) {
  std::vector<double> values(count);
  std::ranges::copy(own, values.begin() + static_cast<std::ptrdiff_t>(first));
  all.sum(values);
  return values;
}

/// This rank's share of so many: the first one, and the one behind the last.
inline std::pair<std::size_t, std::size_t> share_of(ranks const& all, std::size_t count) {
  return {count * all.rank / all.count, count * (all.rank + 1) / all.count};
}
