#pragma once

#include <prefopt/contract/pair_loss.hpp>
#include <prefopt/link/discovered.hpp>
#include <prefopt/score/anchored.hpp>
#include <prefopt/score/sum.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// DiscoPOP: logistic and exponential loss, mixed by the margin itself.
///     h = (chosen - ref_chosen) - (rejected - ref_rejected), z = beta h
///     L = sigma(-z / tau) log(1 + e^-z) + sigma(z / tau) e^-z
///     special   h = 0 gives (log 2 + 1) / 2; h = +inf gives 0, h = -inf gives +inf
///     source    Lu et al. 2024, arXiv:2406.08414, eq. 5
/// Not monotone at the standard tau: at h = 0 the slope is positive.
struct discopop {
  double beta = 0.1;  ///< > 0
  double tau = 0.05;  ///< temperature of the mixture, > 0

  using score = anchored<sum>;
  [[nodiscard]] constexpr discovered link() const noexcept { return {.tau = tau}; }
  [[nodiscard]] constexpr linear logit() const noexcept { return {.scale = beta}; }

  static constexpr loss_card card{"discopop", "sigma(-z / tau) softplus(-z) + sigma(z / tau) e^-z, z = beta h",
                                  "arXiv:2406.08414, eq. 5"};
  template <class L = discopop>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"beta", &L::beta, range::positive()}, parameter{"tau", &L::tau, range::positive()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
