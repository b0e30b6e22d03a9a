#pragma once

#include <prefopt/contract/pair_loss.hpp>
#include <prefopt/link/rectified_smoothly.hpp>
#include <prefopt/score/sum.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// A hinge without a kink, one of PAL's three losses. `chosen` and `rejected` are rewards; PAL's margins, of
/// `distance_margins`, are compared with zeros.
///     s = delta - (chosen - rejected)
///     L = 0 for s <= 0, s^2 / (2 gamma) for s < gamma, s - gamma / 2 from there on
///     dL/dchosen = 0, -s / gamma, -1;  dL/drejected = -dL/dchosen
///     special   chosen - rejected = +inf gives 0, -inf gives +inf with slope -1
///     source    Chen et al. 2024 (PAL), arXiv:2406.08469, and its code
/// As gamma falls to 0 it becomes the hinge of `slic` without the likelihood.
struct smooth_hinge {
  double delta = 1;  ///< margin of rewards, > 0
  double gamma = 5;  ///< width of the bend, > 0

  using score = sum;
  [[nodiscard]] constexpr rectified_smoothly link() const noexcept { return {.target = delta, .width = gamma}; }
  [[nodiscard]] static constexpr linear logit() noexcept { return {}; }

  static constexpr loss_card card{
      "smooth_hinge", "s^2 / (2 gamma), s - gamma / 2 from s = gamma on; s = max(0, delta - (chosen - rejected))",
      "arXiv:2406.08469"};
  template <class L = smooth_hinge>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"delta", &L::delta, range::positive()},
                      parameter{"gamma", &L::gamma, range::positive()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
