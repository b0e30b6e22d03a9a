#pragma once

#include <prefopt/contract/token_surrogate.hpp>

namespace prefopt::inline PREFOPT_ABI::surrogate {

/// SAPO, soft adaptive policy optimization: a sigmoid in place of the clipping.
///     r = exp(l - o), k = tau_pos if A > 0, else tau_neg
///     S = -A (4 / k) sigma(k (r - 1)),  dS/dl = -4 A sigma(k (r - 1)) sigma(-k (r - 1)) r
///     special   A = 0 gives 0; r = inf gives -4 A / k with slope 0
///     source    Gao et al. 2025, arXiv:2511.20347
struct sapo {
  double tau_pos = 1;     ///< > 0
  double tau_neg = 1.05;  ///< > 0

  static constexpr columns needs = columns::old_policy;

  template <lane V>
  PREFOPT_INLINE token_value<V> operator()(token_row<V> const& row) const noexcept {
    V const one = math::constant<V>(1), four = math::constant<V>(4), ratio = row.ratio();
    V const k =
        math::select(row.advantage > math::constant<V>(0), math::constant<V>(tau_pos), math::constant<V>(tau_neg));
    auto const at = math::logistic(V(k * (ratio - one)));
    V const weight = -four * row.advantage;
    return {math::vanishing(weight, math::divide(at.sigmoid, k)),
            math::vanishing(weight, math::vanishing(V(at.sigmoid * at.sigmoid_negated), ratio))};
  }

  static constexpr loss_card card{"sapo", "-A (4 / k) sigma(k (r - 1)), k by the sign of A", "arXiv:2511.20347"};
  template <class L = sapo>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"tau_pos", &L::tau_pos, range::positive()},
                      parameter{"tau_neg", &L::tau_neg, range::positive()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI::surrogate
