#pragma once

#include <algorithm>
#include <concepts>
#include <vector>

#include "oracle/bits.hpp"

namespace oracle {

/// Same bits, of floating-point and of 16-bit numbers; a NaN is the same as any NaN.
template <class U>
bool same_number(U x, U y) {
  if constexpr (std::floating_point<U>) {
    return same_bits(x, y);
  } else {
    return same_bits(static_cast<float>(x), static_cast<float>(y));
  }
}

template <class U>
bool same_numbers(std::vector<U> const& a, std::vector<U> const& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), same_number<U>);
}

}  // namespace oracle
