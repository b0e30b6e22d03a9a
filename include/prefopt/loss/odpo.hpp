#pragma once

#include <prefopt/contract/pair_loss.hpp>
#include <prefopt/link/logistic.hpp>
#include <prefopt/score/anchored.hpp>
#include <prefopt/score/sum.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// ODPO, DPO with an offset: the more chosen is better, the larger the margin has to be.
///     h = (chosen - ref_chosen) - (rejected - ref_rejected), z = beta h - alpha log(target)
///     L = log(1 + e^-z),  dL/dh = -beta sigma(-z)
///     special   target = 1 is dpo; target <= 0 is an error; h = +inf gives 0, h = -inf gives +inf
///     source    Amini et al. 2024, arXiv:2402.10571
/// The column target holds the difference of the two scores, > 0; below 1 it lowers the bar.
struct odpo {
  double beta = 0.1;  ///< > 0
  double alpha = 1;   ///< >= 0

  using score = anchored<sum>;
  static constexpr columns needs = columns::target;
  static constexpr column_rule rule{columns::target, allowed_values::positive};
  [[nodiscard]] static constexpr logistic link() noexcept { return {}; }
  template <lane V>
  PREFOPT_INLINE row_affine<V> logit(pair_row<V> const& row) const noexcept {
    return {math::constant<V>(beta), V(math::constant<V>(alpha) * math::log(row.target))};
  }
  [[nodiscard]] constexpr double reward_scale() const noexcept { return beta; }

  static constexpr loss_card card{"odpo", "softplus(alpha log(target) - beta h)", "arXiv:2402.10571"};
  template <class L = odpo>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"beta", &L::beta, range::positive()},
                      parameter{"alpha", &L::alpha, range::non_negative()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
