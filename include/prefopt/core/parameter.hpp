#pragma once

#include <cmath>
#include <limits>
#include <prefopt/core/errors.hpp>
#include <string>
#include <string_view>
#include <tuple>

namespace prefopt::inline PREFOPT_ABI {

/// An interval of finite numbers, or of whole ones.
struct range {
  double low = std::numeric_limits<double>::lowest(), high = std::numeric_limits<double>::max();
  bool low_is_in = true, high_is_in = true, is_whole = false;

  static constexpr range positive() noexcept { return {.low = 0, .low_is_in = false}; }
  static constexpr range non_negative() noexcept { return {.low = 0}; }
  static constexpr range whole() noexcept { return {.low = 0, .high = 0x1p53, .is_whole = true}; }
  static constexpr range yes_or_no() noexcept { return {.low = 0, .high = 1, .is_whole = true}; }

  [[nodiscard]] bool contains(double x) const noexcept {
    return (low_is_in ? x >= low : x > low) && (high_is_in ? x <= high : x < high) && (!is_whole || x == std::trunc(x));
  }

  /// "> 0", "in [0, 0.5)", "0 or 1", …
  [[nodiscard]] std::string text() const {
    if (is_whole && high < 0x1p53) {
      return high == low + 1 ? detail::text(low) + " or " + detail::text(high)
                             : "a whole number from " + detail::text(low) + " to " + detail::text(high);
    }
    if (is_whole) return "a whole number >= " + detail::text(low);
    if (high < std::numeric_limits<double>::max()) {
      return std::string{low_is_in ? "in [" : "in ("} + detail::text(low) + ", " + detail::text(high) +
             (high_is_in ? "]" : ")");
    }
    if (low == std::numeric_limits<double>::lowest()) return "of any size";
    return (low_is_in ? ">= " : "> ") + detail::text(low);
  }
};

/// A parameter of the loss L: its name, where it is kept, what it may be. A bool is 0 or 1.
template <class L, class M = double>
struct parameter {
  std::string_view name;
  M L::*member;
  range valid;
};

template <class L>
parameter(char const*, double L::*, range) -> parameter<L, double>;
template <class L>
parameter(char const*, bool L::*, range) -> parameter<L, bool>;

/// What a loss is called, what it computes, and where that was published.
struct loss_card {
  std::string_view name, formula, source;
};

}  // namespace prefopt::inline PREFOPT_ABI
