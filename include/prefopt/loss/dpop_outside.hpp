#pragma once

#include <prefopt/contract/pair_loss.hpp>
#include <prefopt/link/logistic.hpp>
#include <prefopt/score/anchored.hpp>
#include <prefopt/score/sum.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// DPO plus a penalty where the chosen completion becomes less likely than under the reference: what mlx-lm-lora calls
/// dpop. In the paper, and in `dpop`, the penalty is inside the sigmoid.
///     h = (chosen - ref_chosen) - (rejected - ref_rejected),  a = chosen - ref_chosen
///     L = log(1 + e^(-beta h)) + lambda max(0, -a)
///     dL/dchosen = -beta sigma(-beta h) - lambda [a < 0],  dL/drejected = beta sigma(-beta h)
///     special   a >= 0 is dpo; a = -inf gives +inf; the kink takes slope 0
///     source    mlx-lm-lora, dpo_trainer.py, loss_type dpop
struct dpop_outside {
  double beta = 0.1;   ///< strength of the anchor, > 0
  double lambda = 50;  ///< weight of the penalty, >= 0

  using score = anchored<sum>;
  [[nodiscard]] static constexpr logistic link() noexcept { return {}; }
  [[nodiscard]] constexpr linear logit() const noexcept { return {.scale = beta}; }

  template <lane V>
  PREFOPT_INLINE pair_value<V> rest(V const& a, V const&) const noexcept {
    V const zero = math::constant<V>(0), weight = math::constant<V>(lambda);
    if (lambda == 0) return {zero, zero, zero};
    return {V(weight * math::positive_part(V(-a))), math::select(a < zero, V(-weight), zero), zero};
  }

  static constexpr loss_card card{"dpop_outside", "softplus(-beta h) + lambda max(0, -a)",
                                  "mlx-lm-lora dpo_trainer.py, dpop"};
  template <class L = dpop_outside>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"beta", &L::beta, range::positive()},
                      parameter{"lambda", &L::lambda, range::non_negative()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
