#pragma once

#include <prefopt/surrogate/ppo_clip.hpp>
#include <prefopt/token/advantages.hpp>
#include <prefopt/token/policy_gradient.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// GRPO, group relative policy optimization, with the paper's conventions: clipped ratios, the k3 estimate of the KL, and
/// the mean over sequences of their means.
///     S = max(-A r, -A clip(r, 1 - low, 1 + high)),  r = exp(l - o)
///     source    Shao et al. 2024, arXiv:2402.03300, eq. 3 and 4; TRL has kl_coefficient 0
struct grpo {
  double low = 0.2, high = 0.2;  ///< low in [0, 1], high >= 0
  double kl_coefficient = 0.04;  ///< >= 0; 0: no reference is read

  static constexpr advantage_mode advantages = advantage_mode::group_std;
  [[nodiscard]] constexpr policy_gradient<surrogate::ppo_clip> composition() const noexcept {
    return {
        .surrogate = {.low = low, .high = high},
        .kl = {.estimator = kl_coefficient == 0 ? kl_estimator::none : kl_estimator::k3, .coefficient = kl_coefficient},
        .aggregation = {.mode = aggregation_mode::sequence_mean_of_means}};
  }

  static constexpr loss_card card{"grpo", "ppo_clip + c k3, mean of means, group_std", "arXiv:2402.03300, eq. 3"};
  template <class L = grpo>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"low", &L::low, range{.low = 0, .high = 1}},
                      parameter{"high", &L::high, range::non_negative()},
                      parameter{"kl_coefficient", &L::kl_coefficient, range::non_negative()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
