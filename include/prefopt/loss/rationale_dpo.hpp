#pragma once

#include <prefopt/contract/pair_loss.hpp>
#include <prefopt/link/logistic.hpp>
#include <prefopt/score/anchored.hpp>
#include <prefopt/score/sum.hpp>
#include <prefopt/simd/math.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// DPO with the reason for the choice: its log-prob, the column `rationale`, is learnt beside the preference.
///     h = (chosen - ref_chosen) - (rejected - ref_rejected)
///     L = log(1 + e^(-beta h)) + log(1 + e^(-gamma rationale))
///     dL/dh = -beta sigma(-beta h),  dL/drationale = -gamma sigma(-gamma rationale)
///     special   rationale 0 adds log 2, -inf gives +inf with slope -gamma
///     source    Just et al. 2024, arXiv:2407.14477, in the form of the authors' code; the paper's second term is
///               -gamma rationale
struct rationale_dpo {
  double beta = 0.1;   ///< strength of the anchor, > 0
  double gamma = 0.1;  ///< weight of the reason, > 0

  using score = anchored<sum>;
  static constexpr columns needs = columns::rationale;
  [[nodiscard]] static constexpr logistic link() noexcept { return {}; }
  [[nodiscard]] constexpr linear logit() const noexcept { return {.scale = beta}; }

  template <lane V>
  struct gradient {
    V d_rationale;
  };

  template <lane V>
  PREFOPT_INLINE with_gradients<pair_value<V>, gradient<V>> rest(pair_row<V> const& row, V const& a,
                                                                 V const& b) const noexcept {
    V const weight = math::constant<V>(gamma), nothing = math::or_nan_of(math::constant<V>(0), row.rationale);
    auto const at = logistic{}(V(weight * row.rationale));
    return {{at.value, nothing, nothing}, {math::or_nan_of(V(weight * at.slope), a, b)}};
  }

  static constexpr loss_card card{"rationale_dpo", "softplus(-beta h) + softplus(-gamma rationale)",
                                  "arXiv:2407.14477"};
  template <class L = rationale_dpo>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"beta", &L::beta, range::positive()}, parameter{"gamma", &L::gamma, range::positive()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
