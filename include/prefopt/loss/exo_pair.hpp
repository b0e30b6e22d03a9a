#pragma once

#include <prefopt/contract/pair_loss.hpp>
#include <prefopt/link/kl_to_target.hpp>
#include <prefopt/score/anchored.hpp>
#include <prefopt/score/sum.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// EXO for pairs: the reverse KL divergence, from the policy's preference to the smoothed label.
///     h = (chosen - ref_chosen) - (rejected - ref_rejected), q = sigma(beta h), c = log((1 - epsilon) / epsilon)
///     L = q log(q / (1 - epsilon)) + (1 - q) log((1 - q) / epsilon),  dL/dh = beta q (1 - q) (beta h - c)
///     special   beta h = c gives 0; h = +inf gives -log(1 - epsilon), h = -inf gives -log epsilon, slope 0 at both
///     source    Ji et al. 2024, arXiv:2402.00856, eq. 16
/// Not convex: where the policy is sure, right or wrong, the gradient vanishes. Trainers call epsilon label_smoothing.
struct exo_pair {
  double beta = 0.1;      ///< > 0
  double epsilon = 1e-3;  ///< in (0, 0.5]; at 0 every loss would be infinite

  using score = anchored<sum>;
  template <lane V>
  PREFOPT_INLINE kl_to_target<V> link(pair_row<V> const&) const noexcept {
    V const log_right = V(-math::log1p(math::constant<V>(epsilon / (1 - epsilon))));
    V const log_wrong = math::log(math::constant<V>(epsilon));
    return {log_right, log_wrong, V(log_right - log_wrong)};
  }
  [[nodiscard]] constexpr linear logit() const noexcept { return {.scale = beta}; }

  static constexpr loss_card card{"exo_pair", "KL(sigma(beta h) || 1 - epsilon)", "arXiv:2402.00856, eq. 16"};
  template <class L = exo_pair>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"beta", &L::beta, range::positive()},
                      parameter{"epsilon", &L::epsilon, range{.low = 0, .high = 0.5, .low_is_in = false}}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
