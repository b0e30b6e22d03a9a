#pragma once

#include <prefopt/contract/token_surrogate.hpp>

namespace prefopt::inline PREFOPT_ABI::surrogate {

/// CISPO: the ratio, clipped, weighs the log-prob's gradient and has none itself, so that no token is lost.
///     w = clip(exp(l - o), low, high), held constant;  S = -w A l,  dS/dl = -w A
/// The bounds are absolute: trainers that say 1 - epsilon and 1 + epsilon mean cispo_around_one.
///     special   w A = 0 gives 0, whatever l
///     source    MiniMax 2025, arXiv:2506.13585; TRL, Liger and swift have low = 0 and high = epsilon_high; low 0
///               and high 1 is ROLL's `tis`
struct cispo {
  double low = 0;   ///< >= 0
  double high = 5;  ///< >= low

  static constexpr columns needs = columns::old_policy;
  static constexpr surrogate_slope slope = surrogate_slope::by_log_prob;

  template <lane V>
  PREFOPT_INLINE token_value<V> operator()(token_row<V> const& row) const noexcept {
    V const lowest = math::constant<V>(low), highest = math::constant<V>(high), ratio = row.ratio();
    V const weight = -math::vanishing(row.advantage, math::limited(ratio, lowest, highest));
    return {math::vanishing(weight, row.log_prob), weight, math::indicator<V>(ratio < lowest),
            math::indicator<V>(ratio > highest)};
  }

  [[nodiscard]] constexpr char const* problem() const noexcept {
    return low <= high ? nullptr : "low is above high, expected low <= high";
  }
  static constexpr loss_card card{"cispo", "-clip(r, low, high) A l, the ratio held constant", "arXiv:2506.13585"};
  template <class L = cispo>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"low", &L::low, range::non_negative()},
                      parameter{"high", &L::high, range::non_negative()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI::surrogate
