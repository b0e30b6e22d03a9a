#pragma once

#include <prefopt/contract/pair_loss.hpp>
#include <prefopt/link/logistic.hpp>
#include <prefopt/score/anchored.hpp>
#include <prefopt/score/sum.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// MODPO, DPO for one of several objectives: the others are a margin.
///     h = (chosen - ref_chosen) - (rejected - ref_rejected), z = (beta h - margin) / weight
///     L = log(1 + e^-z),  dL/dh = -beta sigma(-z) / weight,  dL/dmargin = sigma(-z) / weight
///     special   weight = 1 and margin = 0 are dpo; h = +inf gives 0, h = -inf gives +inf
///     source    Zhou et al. 2023, arXiv:2310.03708
/// margin is what the other objectives' rewards, times their weights, differ by. Swapped, a pair keeps it.
struct modpo {
  double beta = 0.1;    ///< > 0
  double weight = 0.5;  ///< of the pairs' objective, in (0, 1]

  using score = anchored<sum>;
  static constexpr columns needs = columns::margin;
  [[nodiscard]] static constexpr logistic link() noexcept { return {}; }
  template <lane V>
  PREFOPT_INLINE row_affine<V> logit(pair_row<V> const& row) const noexcept {
    return {math::constant<V>(beta / weight), V(math::constant<V>(1 / weight) * row.margin)};
  }
  template <lane V>
  PREFOPT_INLINE detail::margin_gradient<V> gradients(pair_row<V> const&, V const&, V const& slope) const noexcept {
    return {V(math::constant<V>(-1 / weight) * slope)};
  }
  [[nodiscard]] constexpr double reward_scale() const noexcept { return beta / weight; }

  static constexpr loss_card card{"modpo", "softplus((margin - beta h) / weight)", "arXiv:2310.03708"};
  template <class L = modpo>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"beta", &L::beta, range::positive()},
                      parameter{"weight", &L::weight, range{.low = 0, .high = 1, .low_is_in = false}}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
