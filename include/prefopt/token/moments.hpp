#pragma once

#include <array>
#include <cmath>
#include <prefopt/core/all_reduce.hpp>
#include <prefopt/core/ranks.hpp>
#include <string_view>

namespace prefopt::inline PREFOPT_ABI::detail {

/// Count, mean and squares about the mean.
struct moments {
  double count = 0, mean = 0, squares = 0;  ///< squares: of the deviations from the mean

  /// A number that is there `times` times, > 0.
  void add(double x, double times = 1) noexcept {
    count += times;
    double const before = x - mean;
    mean += times * before / count;
    squares += times * before * (x - mean);
  }
  /// 0 where it divides by nothing.
  [[nodiscard]] double deviation(double less) const noexcept {
    return count > less ? std::sqrt(squares / (count - less)) : 0;
  }
  /// Of both batches. Where their means are equal, so is what comes out.
  [[nodiscard]] moments with(moments const& other) const noexcept {
    if (count == 0) return other;
    if (other.count == 0) return *this;
    double const all = count + other.count, apart = other.mean - mean;
    return {all, mean + apart * (other.count / all),
            squares + other.squares + apart * apart * (count * other.count / all)};
  }
};

/// Of all ranks: their sums of counts and means, then of what the rounded mean is off, then of squares about the mean.
/// Where the means of all are equal, so is what comes out.
inline moments over_ranks(moments own, all_reduce const& sum, std::string_view where) {
  if (!sum) return own;
  std::array<double, 2> first{own.count, own.count * own.mean};
  add_up_ranks(sum, first, where);
  if (first[0] == 0) return {};
  double const rounded = first[1] / first[0];
  std::array<double, 1> off{own.count * (own.mean - rounded)};
  add_up_ranks(sum, off, where);
  double const mean = rounded + off[0] / first[0], apart = own.mean - mean;
  std::array<double, 1> squares{own.squares + own.count * apart * apart};
  add_up_ranks(sum, squares, where);
  return {first[0], mean, squares[0]};
}

inline double quotient_or_zero(double x, double y) noexcept { return x == 0 ? 0 : x / y; }

}  // namespace prefopt::inline PREFOPT_ABI::detail
