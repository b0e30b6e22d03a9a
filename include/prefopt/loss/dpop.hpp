#pragma once

#include <prefopt/contract/pair_loss.hpp>
#include <prefopt/link/logistic.hpp>
#include <prefopt/score/anchored.hpp>
#include <prefopt/score/sum.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// DPOP, DPO-positive: DPO that is punished where the chosen completion becomes less likely than under the reference.
///     a = chosen - ref_chosen,  b = rejected - ref_rejected
///     z = beta (a - b - lambda max(0, -a)),  L = log(1 + e^-z)
///     dL/dchosen = -beta sigma(-z) (1 + lambda [a < 0]),  dL/drejected = beta sigma(-z)
///     special   a >= 0 is dpo, bit for bit; z = +inf gives 0, z = -inf gives +inf
///     source    Pal et al. 2024 (Smaug), arXiv:2402.13228, eq. 3
struct dpop {
  double beta = 0.3;   ///< strength of the anchor, > 0
  double lambda = 50;  ///< weight of the penalty, >= 0; it is inside the sigmoid and multiplied by beta

  using score = anchored<sum>;
  [[nodiscard]] constexpr double reward_scale() const noexcept { return beta; }

  template <lane V>
  PREFOPT_INLINE pair_value<V> operator()(V const& a, V const& b) const noexcept {
    V const zero = math::constant<V>(0), scale = math::constant<V>(beta), u = a - b;
    // Without the penalty a log-prob of -inf must not become 0 * inf.
    V const punished = lambda == 0 ? u : math::fma(math::constant<V>(-lambda), math::positive_part(V(-a)), u);
    auto const at = logistic{}(V(scale * punished));
    V const slope = scale * at.slope;
    return {at.value, math::select(a < zero, math::fma(math::constant<V>(lambda), slope, slope), slope), V(-slope)};
  }

  static constexpr loss_card card{"dpop", "softplus(-beta (h - lambda max(0, -a)))", "arXiv:2402.13228, eq. 3"};
  template <class L = dpop>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"beta", &L::beta, range::positive()},
                      parameter{"lambda", &L::lambda, range::non_negative()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
