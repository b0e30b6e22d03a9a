#pragma once

#include <prefopt/surrogate/gspo.hpp>
#include <prefopt/token/advantages.hpp>
#include <prefopt/token/policy_gradient.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// GSPO, group sequence policy optimization: one ratio a sequence, the geometric mean of its tokens'; no KL.
///     S = max(-A s, -A clip(s, 1 - low, 1 + high)),  s = exp(mean(l - o)); mean over the sequences
///     source    Zheng et al. 2025, arXiv:2507.18071
struct gspo {
  double low = 3e-4, high = 4e-4;  ///< low in [0, 1], high >= 0

  static constexpr advantage_mode advantages = advantage_mode::group_std;
  [[nodiscard]] constexpr policy_gradient<surrogate::gspo> composition() const noexcept {
    return {.surrogate = {.low = low, .high = high}, .aggregation = {.mode = aggregation_mode::sequence_mean_of_means}};
  }

  static constexpr loss_card card{"gspo", "ppo_clip of exp(mean(l - o)), mean of means, group_std", "arXiv:2507.18071"};
  template <class L = gspo>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"low", &L::low, range{.low = 0, .high = 1}},
                      parameter{"high", &L::high, range::non_negative()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
