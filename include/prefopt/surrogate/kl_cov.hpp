#pragma once

#include <prefopt/contract/token_surrogate.hpp>

namespace prefopt::inline PREFOPT_ABI::surrogate {

/// KL-Cov: the plain ratio, with a penalty on the few tokens of largest covariance.
///     cov = (A - mean A) (l - mean l) over the counted tokens of this call
///     S = -A exp(l - o), and + coefficient |l - o| on the max(1, floor(share n)) tokens with the largest cov
///     dS/dl = -A exp(l - o) + coefficient sgn(l - o) there
/// Of several ranks each picks its own tokens; of equal covariances the earlier token is taken.
///     source    Cui et al. 2025, arXiv:2505.22617; verl's `kl_cov`, whose actor.yaml has 0.1 for the coefficient
struct kl_cov {
  double coefficient = 1;  ///< >= 0
  double share = 2e-4;     ///< share of the counted tokens, in (0, 1]

  static constexpr columns needs = columns::old_policy;
  static constexpr token_selection selects = token_selection::largest_covariance;
  [[nodiscard]] double selected_share() const noexcept { return share; }
  [[nodiscard]] bool may_select(double, double, double) const noexcept { return true; }

  template <lane V>
  PREFOPT_INLINE token_value<V> operator()(token_row<V> const& row) const noexcept {
    V const zero = math::constant<V>(0), one = math::constant<V>(1);
    V const plain = math::vanishing(V(-row.advantage), row.ratio());
    V const penalty = math::select(row.selected > zero, math::constant<V>(coefficient), zero);
    V const sign = math::select(row.log_ratio > zero, one, math::select(row.log_ratio < zero, V(-one), zero));
    return {math::dominated_sum(plain, math::vanishing(penalty, math::abs(row.log_ratio))), V(plain + penalty * sign)};
  }

  static constexpr loss_card card{"kl_cov", "-A r, + coefficient |l - o| on tokens of high covariance",
                                  "arXiv:2505.22617"};
  template <class L = kl_cov>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"coefficient", &L::coefficient, range::non_negative()},
                      parameter{"share", &L::share, range{.low = 0, .high = 1, .low_is_in = false}}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI::surrogate
