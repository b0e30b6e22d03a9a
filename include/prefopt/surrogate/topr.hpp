#pragma once

#include <prefopt/contract/token_surrogate.hpp>

namespace prefopt::inline PREFOPT_ABI::surrogate {

/// TOPR, tapered off-policy REINFORCE: what was good is imitated in full, what was bad is unlearned as far as the policy
/// still does it.
///     w = 1 if A > 0, else min(exp(l - o), 1), held constant;  S = -w A l,  dS/dl = -w A
///     special   w A = 0 gives 0, whatever l
///     source    Le Roux et al. 2025, arXiv:2503.14286; there the sign is the reward's
struct topr {
  static constexpr columns needs = columns::old_policy;
  static constexpr surrogate_slope slope = surrogate_slope::by_log_prob;

  template <lane V>
  PREFOPT_INLINE token_value<V> operator()(token_row<V> const& row) const noexcept {
    V const zero = math::constant<V>(0), one = math::constant<V>(1), ratio = row.ratio();
    auto const is_good = row.advantage > zero, above = ratio > one;
    V const weight = -math::vanishing(row.advantage, math::select(is_good | above, one, ratio));
    return {math::vanishing(weight, row.log_prob), weight, zero,
            math::select(is_good, zero, math::indicator<V>(above))};
  }

  static constexpr loss_card card{"topr", "-w A l, w = 1 if A > 0, else min(r, 1) held constant", "arXiv:2503.14286"};
};

}  // namespace prefopt::inline PREFOPT_ABI::surrogate
