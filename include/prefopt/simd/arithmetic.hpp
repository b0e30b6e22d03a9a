#pragma once

#include <cstddef>
#include <limits>
#include <prefopt/core/errors.hpp>
#include <prefopt/simd/math.hpp>
#include <string_view>

namespace prefopt::inline PREFOPT_ABI::detail {

/// No macro tells of -fassociative-math (in -Ofast and -funsafe-math-optimizations), which folds the rounding in exp
/// away, nor of clang's -fno-honor-nans: a compiler that takes such liberties takes them here, too.
template <class T>
void check_arithmetic(std::string_view where, std::size_t n) {
  T const number = static_cast<T>(n % 2) + T(0.25), shift = math_constants<T>::round_shift;
  if ((number + shift) - shift == number) {
    fail(where, "compiled with -fassociative-math (-Ofast, -funsafe-math-optimizations), which breaks rounding here");
  }
  T const nan = number * std::numeric_limits<T>::quiet_NaN();
  if (nan == nan) fail(where, "compiled with -fno-honor-nans, which breaks NaN handling here");
}

}  // namespace prefopt::inline PREFOPT_ABI::detail
