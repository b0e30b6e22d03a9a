#pragma once

#include <prefopt/loss/ppo.hpp>
#include <prefopt/token/advantages.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// DAPO: a higher upper bound, every token with the same weight, no KL.
///     S = max(-A r, -A clip(r, 1 - low, 1 + high)),  r = exp(l - o); mean over the tokens
/// Its dynamic sampling and its treatment of completions that are too long belong to the loop: leave such groups out, and
/// mask such completions.
///     source    Yu et al. 2025, arXiv:2503.14476
struct dapo {
  double low = 0.2, high = 0.28;  ///< low in [0, 1], high >= 0

  static constexpr advantage_mode advantages = advantage_mode::group_std;
  [[nodiscard]] constexpr policy_gradient<surrogate::ppo_clip> composition() const noexcept {
    return ppo{.low = low, .high = high}.composition();
  }

  static constexpr loss_card card{"dapo", "ppo_clip, token mean, group_std", "arXiv:2503.14476"};
  template <class L = dapo>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"low", &L::low, range{.low = 0, .high = 1}},
                      parameter{"high", &L::high, range::non_negative()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
