#pragma once

#include <prefopt/contract/token_surrogate.hpp>

namespace prefopt::inline PREFOPT_ABI::surrogate {

/// PPO's clipped surrogate, with two bounds and, if wanted, a cap for negative advantages (dual clip).
///     r = exp(l - o),  S = max(-A r, -A clip(r, 1 - low, 1 + high));  with dual = c > 0 and A < 0: min(S, c |A|)
///     dS/dl = -A r at the bounds, inside, and where the clipped value is not the larger one; 0 where it or the cap acts
///     special   A = 0 gives 0, whatever r
///     source    Schulman et al. 2017, arXiv:1707.06347, eq. 7; two bounds: DAPO, arXiv:2503.14476; the cap: Ye
///               et al. 2020, arXiv:1912.09729
struct ppo_clip {
  double low = 0.2;   ///< in [0, 1]
  double high = 0.2;  ///< >= 0
  double dual = 0;    ///< 0: no cap; else >= 1

  static constexpr columns needs = columns::old_policy;

  template <lane V>
  PREFOPT_INLINE token_value<V> operator()(token_row<V> const& row) const noexcept {
    V const zero = math::constant<V>(0), one = math::constant<V>(1);
    auto const clipped = clipped_surrogate(row.advantage, row.ratio(), V(one - math::constant<V>(low)),
                                           V(one + math::constant<V>(high)));
    if (dual == 0) return clipped;
    V const cap = -math::constant<V>(dual) * row.advantage;
    auto const capped = (row.advantage < zero) & (clipped.value > cap);
    return {math::select(capped, cap, clipped.value), math::select(capped, zero, clipped.slope), clipped.below,
            math::select(capped, one, clipped.above)};
  }

  [[nodiscard]] constexpr char const* problem() const noexcept {
    return dual == 0 || dual >= 1 ? nullptr : "dual is less than 1, expected 0, which is none, or a number >= 1";
  }
  static constexpr loss_card card{"ppo_clip", "max(-A r, -A clip(r, 1 - low, 1 + high))", "arXiv:1707.06347, eq. 7"};
  template <class L = ppo_clip>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"low", &L::low, range{.low = 0, .high = 1}},
                      parameter{"high", &L::high, range::non_negative()},
                      parameter{"dual", &L::dual, range::non_negative()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI::surrogate
