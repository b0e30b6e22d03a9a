#pragma once

#include <prefopt/contract/pair_loss.hpp>
#include <prefopt/link/squared.hpp>
#include <prefopt/score/anchored.hpp>
#include <prefopt/score/sum.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// IPO, identity preference optimization, on sequence sums as in the paper; `ipo_mean` is the per-token form.
///     h = (chosen - ref_chosen) - (rejected - ref_rejected)
///     L = (h - 1 / (2 tau))^2,  dL/dh = 2 (h - 1 / (2 tau))
///     special   h = +-inf gives +inf
///     source    Azar et al. 2023, arXiv:2310.12036, eq. 17
struct ipo {
  double tau = 0.1;  ///< strength of the anchor, > 0 (other libraries call it beta)

  using score = anchored<sum>;
  static constexpr bool fuses = true;
  [[nodiscard]] constexpr squared link() const noexcept { return {.target = 1 / (2 * tau)}; }
  [[nodiscard]] static constexpr linear logit() noexcept { return {}; }
  [[nodiscard]] constexpr double reward_scale() const noexcept { return tau; }

  static constexpr loss_card card{"ipo", "(h - 1/(2 tau))^2", "arXiv:2310.12036, eq. 17"};
  static constexpr auto parameters() noexcept { return std::tuple{parameter{"tau", &ipo::tau, range::positive()}}; }
};

}  // namespace prefopt::inline PREFOPT_ABI
