#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

/// The median.
inline double middle_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  std::size_t const half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}
