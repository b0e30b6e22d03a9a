#pragma once

#include <prefopt/contract/pair_loss.hpp>
#include <prefopt/link/focused.hpp>
#include <prefopt/score/sum.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// Focal reward modelling: Bradley-Terry that turns from the pairs that are ranked right. `chosen` and `rejected` are
/// rewards.
///     d = chosen - rejected
///     L = (1 - 2 max(0, sigma(d) - 1/2))^gamma log(1 + e^-d)
///     special   d <= 0 is bradley_terry, bit for bit; d = +inf gives 0, d = -inf gives +inf; the kink at 0 takes -1/2
///     source    Cai et al. 2024 (InternLM2), arXiv:2403.17297
struct focal_bt {
  double gamma = 2;  ///< >= 0; 0 is bradley_terry

  using score = sum;
  [[nodiscard]] constexpr focused_on_wrong link() const noexcept { return {.gamma = gamma}; }
  [[nodiscard]] static constexpr linear logit() noexcept { return {}; }

  static constexpr loss_card card{
      "focal_bt", "(1 - 2 max(0, sigma(d) - 1/2))^gamma softplus(-d), d = chosen - rejected", "arXiv:2403.17297"};
  template <class L = focal_bt>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"gamma", &L::gamma, range::non_negative()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
