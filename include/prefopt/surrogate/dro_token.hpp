#pragma once

#include <prefopt/contract/token_surrogate.hpp>

namespace prefopt::inline PREFOPT_ABI::surrogate {

/// Direct reward optimization at each token: REINFORCE, held near the old policy by a square.
///     S = -A l + beta (l - o)^2 / 2,  dS/dl = -A + beta (l - o)
///     special   A = 0 leaves the square
///     source    Richemond et al. 2024, arXiv:2405.19107; verl's `dro`, ROLL's `kimi15`
struct dro_token {
  double beta = 0.1;  ///< >= 0

  static constexpr columns needs = columns::old_policy;
  static constexpr surrogate_slope slope = surrogate_slope::by_log_prob;

  template <lane V>
  PREFOPT_INLINE token_value<V> operator()(token_row<V> const& row) const noexcept {
    V const pull = math::vanishing(math::constant<V>(beta), row.log_ratio), weight = -row.advantage;
    V const square = math::constant<V>(0.5) * math::vanishing(pull, row.log_ratio);
    return {math::dominated_sum(square, math::vanishing(weight, row.log_prob)), V(weight + pull)};
  }

  static constexpr loss_card card{"dro_token", "-A l + beta (l - o)^2 / 2", "arXiv:2405.19107"};
  template <class L = dro_token>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"beta", &L::beta, range::non_negative()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI::surrogate
