#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

/// Which of these numbers are above their mean. One that is there but for rounding is not: 0.7, 0.8 and 0.9 are as 7, 8 and
/// 9, though none of them is what it is written as.
inline std::vector<bool> above_mean(std::span<double const> values) {
  double largest = 0, sum = 0;
  for (double const value : values) largest = std::max(largest, std::abs(value));
  std::vector<bool> above(values.size());
  if (largest == 0) return above;
  // As parts of the largest, of which the differences cannot overflow.
  auto const difference = [&](double value) { return value / largest - values.front() / largest; };
  for (double const value : values) sum += difference(value);
  auto const count = static_cast<double>(values.size());
  double const rounding = (4 + count) * std::numeric_limits<double>::epsilon();
  for (std::size_t i = 0; i < values.size(); ++i) above[i] = difference(values[i]) > sum / count + rounding;
  return above;
}
