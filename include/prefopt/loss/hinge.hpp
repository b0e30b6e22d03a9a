#pragma once

#include <prefopt/contract/pair_loss.hpp>
#include <prefopt/link/rectified.hpp>
#include <prefopt/score/anchored.hpp>
#include <prefopt/score/sum.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// Hinge on the anchored margin.
///     h = (chosen - ref_chosen) - (rejected - ref_rejected)
///     L = max(0, 1 - beta h),  dL/dh = -beta for beta h < 1, else 0
///     special   h = +inf gives 0, h = -inf gives +inf
///     source    Zhao et al. 2023 (SLiC-HF), arXiv:2305.10425; anchored: Liu et al. 2023 (RSO), arXiv:2309.06657,
///               eq. 11
struct hinge {
  double beta = 0.1;  ///< 1 / margin, > 0

  using score = anchored<sum>;
  static constexpr bool fuses = true;
  [[nodiscard]] static constexpr rectified link() noexcept { return {}; }
  [[nodiscard]] constexpr linear logit() const noexcept { return {.scale = beta}; }

  static constexpr loss_card card{"hinge", "max(0, 1 - beta h)", "arXiv:2309.06657, eq. 11"};
  static constexpr auto parameters() noexcept { return std::tuple{parameter{"beta", &hinge::beta, range::positive()}}; }
};

}  // namespace prefopt::inline PREFOPT_ABI
