#pragma once

#include <prefopt/surrogate/cispo.hpp>
#include <prefopt/token/advantages.hpp>
#include <prefopt/token/policy_gradient.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// CISPO, clipped importance sampling policy optimization: the clipped ratio is a weight without a gradient; no KL.
///     S = -clip(r, low, high) A l,  r = exp(l - o) held constant; mean over the tokens
/// The bounds are absolute.
///     source    MiniMax 2025, arXiv:2506.13585; the upper bound is the one that TRL recommends
struct cispo {
  double low = 0;   ///< >= 0
  double high = 5;  ///< >= low

  static constexpr advantage_mode advantages = advantage_mode::group_std;
  [[nodiscard]] constexpr policy_gradient<surrogate::cispo> composition() const noexcept {
    return {.surrogate = {.low = low, .high = high}, .aggregation = {.mode = aggregation_mode::token_mean}};
  }
  [[nodiscard]] constexpr char const* problem() const noexcept { return composition().surrogate.problem(); }

  static constexpr loss_card card{"cispo", "-clip(r, low, high) A l, token mean, group_std", "arXiv:2506.13585"};
  template <class L = cispo>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"low", &L::low, range::non_negative()},
                      parameter{"high", &L::high, range::non_negative()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
