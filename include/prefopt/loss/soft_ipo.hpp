#pragma once

#include <prefopt/loss/ipo.hpp>
#include <prefopt/modifier/labelled.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// IPO with soft labels: a name for labelled<ipo>.
///     h = (chosen - ref_chosen) - (rejected - ref_rejected), c = 1 / (2 tau), q = label
///     L = q (h - c)^2 + (1 - q) (h + c)^2,  dL/dh = 2 (h - (2 q - 1) c)
///     special   least at h = (2 q - 1) c, where L is (1 - (2 q - 1)^2) c^2; h = +-inf gives +inf
///     source    Azar et al. 2023, arXiv:2310.12036, of the population
struct soft_ipo {
  double tau = 0.1;  ///< > 0

  [[nodiscard]] constexpr labelled<ipo> composition() const noexcept { return {.base = {.tau = tau}}; }

  static constexpr loss_card card{"soft_ipo", "label (h - 1/(2 tau))^2 + (1 - label) (h + 1/(2 tau))^2",
                                  "arXiv:2310.12036"};
  template <class L = soft_ipo>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"tau", &L::tau, range::positive()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
