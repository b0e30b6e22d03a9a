#pragma once

#include <prefopt/contract/token_surrogate.hpp>

namespace prefopt::inline PREFOPT_ABI::surrogate {

/// REINFORCE: the gradient of the log-prob, weighed by the advantage.
///     S = -A l,  dS/dl = -A
///     special   A = 0 gives 0, whatever l
///     source    Williams 1992; verl's `gpg`, ROLL's `vanilla`
struct reinforce {
  static constexpr surrogate_slope slope = surrogate_slope::by_log_prob;

  template <lane V>
  PREFOPT_INLINE token_value<V> operator()(token_row<V> const& row) const noexcept {
    V const weight = -row.advantage;
    return {math::vanishing(weight, row.log_prob), weight};
  }

  static constexpr loss_card card{"reinforce", "-A l", "Williams 1992"};
};

}  // namespace prefopt::inline PREFOPT_ABI::surrogate
