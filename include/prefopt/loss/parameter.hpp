#pragma once

#include <limits>
#include <prefopt/detail/fail.hpp>
#include <string>
#include <string_view>
#include <tuple>

namespace prefopt::inline PREFOPT_ABI {

/// An interval of finite numbers.
struct range {
  double low = std::numeric_limits<double>::lowest(), high = std::numeric_limits<double>::max();
  bool low_is_in = true, high_is_in = true;

  static constexpr range positive() noexcept { return {.low = 0, .low_is_in = false}; }
  static constexpr range non_negative() noexcept { return {.low = 0}; }

  [[nodiscard]] constexpr bool contains(double x) const noexcept {
    return (low_is_in ? x >= low : x > low) && (high_is_in ? x <= high : x < high);
  }

  /// "> 0", "in [0, 0.5)", …
  [[nodiscard]] std::string text() const {
    if (high < std::numeric_limits<double>::max()) {
      return std::string{low_is_in ? "in [" : "in ("} + detail::text(low) + ", " + detail::text(high) +
             (high_is_in ? "]" : ")");
    }
    return (low_is_in ? ">= " : "> ") + detail::text(low);
  }
};

/// A parameter of the loss L: its name, where it is kept, what it may be.
template <class L>
struct parameter {
  std::string_view name;
  double L::*member;
  range valid;
};

template <class L>
parameter(char const*, double L::*, range) -> parameter<L>;

/// What a loss is called, what it computes, and where that was published.
struct loss_card {
  std::string_view name, formula, source;
};

}  // namespace prefopt::inline PREFOPT_ABI
