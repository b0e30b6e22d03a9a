#pragma once

#include <prefopt/loss/ppo.hpp>
#include <prefopt/token/advantages.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// REINFORCE++ (its baseline form): ppo without a critic; advantages that are centered in their group and then whitened over
/// all tokens, see `whiten`. The KL belongs into the reward.
///     S = max(-A r, -A clip(r, 1 - low, 1 + high)),  r = exp(l - o); mean over the tokens
///     source    Hu et al. 2025, arXiv:2501.03262; OpenRLHF's reinforce_baseline
struct reinforce_pp {
  double low = 0.2, high = 0.2;  ///< low in [0, 1], high >= 0

  static constexpr advantage_mode advantages = advantage_mode::centered;
  static constexpr bool whitens = true;
  [[nodiscard]] constexpr policy_gradient<surrogate::ppo_clip> composition() const noexcept {
    return ppo{.low = low, .high = high}.composition();
  }

  static constexpr loss_card card{"reinforce_pp", "ppo_clip, token mean, centered and whitened", "arXiv:2501.03262"};
  template <class L = reinforce_pp>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"low", &L::low, range{.low = 0, .high = 1}},
                      parameter{"high", &L::high, range::non_negative()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
