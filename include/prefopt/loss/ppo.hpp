#pragma once

#include <prefopt/surrogate/ppo_clip.hpp>
#include <prefopt/token/advantages.hpp>
#include <prefopt/token/policy_gradient.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// PPO, proximal policy optimization, of the policy: the critic is the host's, its advantages `discounted_advantages`. What
/// `advantages` and `whitens` name is for a loop without one.
///     S = max(-A r, -A clip(r, 1 - low, 1 + high)),  r = exp(l - o); mean over the tokens
///     source    Schulman et al. 2017, arXiv:1707.06347, eq. 7
struct ppo {
  double low = 0.2, high = 0.2;  ///< low in [0, 1], high >= 0
  double dual = 0;               ///< 0: no cap for negative advantages; else >= 1. verl has 3

  static constexpr advantage_mode advantages = advantage_mode::centered;
  static constexpr bool whitens = true;
  [[nodiscard]] constexpr policy_gradient<surrogate::ppo_clip> composition() const noexcept {
    return {.surrogate = {.low = low, .high = high, .dual = dual},
            .aggregation = {.mode = aggregation_mode::token_mean}};
  }
  [[nodiscard]] constexpr char const* problem() const noexcept { return composition().surrogate.problem(); }

  static constexpr loss_card card{"ppo", "ppo_clip, token mean", "arXiv:1707.06347, eq. 7"};
  template <class L = ppo>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"low", &L::low, range{.low = 0, .high = 1}},
                      parameter{"high", &L::high, range::non_negative()},
                      parameter{"dual", &L::dual, range::non_negative()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
