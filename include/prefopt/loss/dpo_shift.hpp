#pragma once

#include <prefopt/contract/pair_loss.hpp>
#include <prefopt/link/logistic.hpp>
#include <prefopt/score/anchored.hpp>
#include <prefopt/score/sum.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// DPO-Shift: the rejected completion counts less, so that the chosen one does not become less likely with it.
///     z = beta ((chosen - ref_chosen) - lambda (rejected - ref_rejected)),  L = log(1 + e^-z)
///     dL/dchosen = -beta sigma(-z),  dL/drejected = lambda beta sigma(-z)
///     special   z = +inf gives 0, z = -inf gives +inf
///     source    Yang et al. 2025, arXiv:2502.07599; Meaquadddd/DPO-Shift, dposhift_trainer.py
struct dpo_shift {
  double beta = 0.1;  ///< strength of the anchor, > 0
  double lambda = 1;  ///< in (0, 1]; 1 is dpo, bit for bit; the authors schedule it between 0.5 and 1

  using score = anchored<sum>;
  [[nodiscard]] constexpr double reward_scale() const noexcept { return beta; }

  template <lane V>
  PREFOPT_INLINE pair_value<V> operator()(V const& a, V const& b) const noexcept {
    V const scale = math::constant<V>(beta), share = math::constant<V>(-lambda);
    auto const at = logistic{}(V(scale * math::fma(share, b, a)));
    V const slope = scale * at.slope;
    return {at.value, slope, V(share * slope)};
  }

  static constexpr loss_card card{"dpo_shift", "softplus(-beta (a - lambda b))", "arXiv:2502.07599"};
  template <class L = dpo_shift>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"beta", &L::beta, range::positive()},
                      parameter{"lambda", &L::lambda, range{.low = 0, .high = 1, .low_is_in = false}}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
