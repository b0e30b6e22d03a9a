#pragma once

#include <prefopt/contract/pair_loss.hpp>
#include <prefopt/link/rectified_at.hpp>
#include <prefopt/score/length_mean.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// RePO: a hinge on the log-prob per token, with neither reference nor beta.
///     u = chosen / chosen_length - rejected / rejected_length
///     L = max(0, gamma - u),  dL/dchosen = -1 / chosen_length for u < gamma, else 0
///     special   u = +inf gives 0, u = -inf gives +inf
///     source    Wu et al. 2025, arXiv:2503.07426
/// What simpo tends to, over its beta, as beta grows at the same ratio gamma / beta.
struct repo {
  double gamma = 0.5;  ///< target margin, >= 0; usual 0.4 to 0.6

  using score = length_mean;
  [[nodiscard]] constexpr rectified_at link() const noexcept { return {.target = gamma}; }
  [[nodiscard]] static constexpr linear logit() noexcept { return {}; }

  static constexpr loss_card card{"repo", "max(0, gamma - mean u)", "arXiv:2503.07426"};
  template <class L = repo>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"gamma", &L::gamma, range::non_negative()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
