#pragma once

#include <prefopt/contract/pair_loss.hpp>
#include <prefopt/link/logistic.hpp>
#include <prefopt/score/anchored.hpp>
#include <prefopt/score/sum.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// R-DPO, DPO regularized in length: a longer chosen completion starts ahead, and is pushed less.
///     h = (chosen - ref_chosen) - (rejected - ref_rejected), z = beta h + alpha (chosen_length - rejected_length)
///     L = log(1 + e^-z),  dL/dh = -beta sigma(-z)
///     special   alpha = 0 and equal lengths are dpo; h = +inf gives 0, h = -inf gives +inf
///     source    Park et al. 2024, arXiv:2403.19159
/// The lengths are constants.
struct r_dpo {
  double beta = 0.1;    ///< > 0
  double alpha = 0.05;  ///< >= 0; usual 0.05 to 1

  using score = anchored<sum>;
  static constexpr columns needs = columns::length;
  [[nodiscard]] static constexpr logistic link() noexcept { return {}; }
  template <lane V>
  PREFOPT_INLINE row_affine<V> logit(pair_row<V> const& row) const noexcept {
    return {math::constant<V>(beta), V(math::constant<V>(alpha) * V(row.rejected.length - row.chosen.length))};
  }
  [[nodiscard]] constexpr double reward_scale() const noexcept { return beta; }

  static constexpr loss_card card{"r_dpo", "softplus(-(beta h + alpha (chosen_length - rejected_length)))",
                                  "arXiv:2403.19159"};
  template <class L = r_dpo>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"beta", &L::beta, range::positive()},
                      parameter{"alpha", &L::alpha, range::non_negative()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
