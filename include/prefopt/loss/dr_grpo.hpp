#pragma once

#include <prefopt/surrogate/ppo_clip.hpp>
#include <prefopt/token/advantages.hpp>
#include <prefopt/token/policy_gradient.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// Dr. GRPO, GRPO done right: no division by a length that the policy chose, nor by the group's deviation, no KL.
///     S = max(-A r, -A clip(r, 1 - low, 1 + high)),  r = exp(l - o); each sequence's sum divided by horizon
///     source    Liu et al. 2025, arXiv:2503.20783
struct dr_grpo {
  double low = 0.2, high = 0.2;  ///< low in [0, 1], high >= 0
  double horizon = 1;            ///< > 0: the most tokens that a completion may have, the same for every batch

  static constexpr advantage_mode advantages = advantage_mode::centered;
  [[nodiscard]] constexpr policy_gradient<surrogate::ppo_clip> composition() const noexcept {
    return {.surrogate = {.low = low, .high = high},
            .aggregation = {.mode = aggregation_mode::sequence_mean_of_sums_scaled, .horizon = horizon}};
  }

  static constexpr loss_card card{"dr_grpo", "ppo_clip, mean of sums / horizon, centered", "arXiv:2503.20783"};
  template <class L = dr_grpo>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"low", &L::low, range{.low = 0, .high = 1}},
                      parameter{"high", &L::high, range::non_negative()},
                      parameter{"horizon", &L::horizon, range::positive()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
