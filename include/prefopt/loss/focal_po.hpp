#pragma once

#include <prefopt/contract/pair_loss.hpp>
#include <prefopt/link/focused.hpp>
#include <prefopt/score/anchored.hpp>
#include <prefopt/score/sum.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// FocalPO: DPO that gives up on hard pairs and strengthens those that are ranked right.
///     h = (chosen - ref_chosen) - (rejected - ref_rejected), z = beta h
///     L = sigma(z)^gamma log(1 + e^-z),  dL/dh = beta sigma(z)^gamma sigma(-z) (gamma log(1 + e^-z) - 1)
///     special   gamma = 0 is dpo; else h = +-inf gives 0
///     source    Liu et al. 2025, arXiv:2501.06645
struct focal_po {
  double beta = 0.1;    ///< > 0
  double gamma = 0.05;  ///< >= 0

  using score = anchored<sum>;
  [[nodiscard]] constexpr focused_on_right link() const noexcept { return {.gamma = gamma}; }
  [[nodiscard]] constexpr linear logit() const noexcept { return {.scale = beta}; }

  static constexpr loss_card card{"focal_po", "sigma(beta h)^gamma softplus(-beta h)", "arXiv:2501.06645"};
  template <class L = focal_po>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"beta", &L::beta, range::positive()},
                      parameter{"gamma", &L::gamma, range::non_negative()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
