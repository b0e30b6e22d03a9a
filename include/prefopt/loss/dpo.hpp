#pragma once

#include <prefopt/contract/pair_loss.hpp>
#include <prefopt/link/logistic.hpp>
#include <prefopt/score/anchored.hpp>
#include <prefopt/score/sum.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// DPO, direct preference optimization.
///     h = (chosen - ref_chosen) - (rejected - ref_rejected)
///     L = log(1 + e^(-beta h)),  dL/dh = -beta sigma(-beta h)
///     special   h = 0 gives log 2; h = +inf gives 0, h = -inf gives +inf with slope -beta
///     source    Rafailov et al. 2023, arXiv:2305.18290, eq. 7
/// Minimized without bound as h grows: on deterministic preferences use ipo.
struct dpo {
  double beta = 0.1;  ///< strength of the anchor, > 0; usual 0.01 to 0.5

  using score = anchored<sum>;
  static constexpr bool fuses = true;
  [[nodiscard]] static constexpr logistic link() noexcept { return {}; }
  [[nodiscard]] constexpr linear logit() const noexcept { return {.scale = beta}; }

  static constexpr loss_card card{"dpo", "softplus(-beta h)", "arXiv:2305.18290, eq. 7"};
  static constexpr auto parameters() noexcept { return std::tuple{parameter{"beta", &dpo::beta, range::positive()}}; }
};

}  // namespace prefopt::inline PREFOPT_ABI
