#pragma once

#include <prefopt/loss/plackett_luce.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// ADPO in Plackett-Luce form: only the order of the rewards counts.
///     plackett_luce on (logp - ref_logp) / tau, the mean over the first top_k stages, smoothed
///     source    arXiv:2510.18913's code (its Poly term is not here)
/// Equal rewards keep their order.
struct adpo_ranked {
  double tau = 0.8;        ///< > 0
  double top_k = 3;        ///< stages that count, 0 for all
  double smoothing = 0.1;  ///< in [0, 1)

  [[nodiscard]] constexpr plackett_luce composition() const noexcept {
    return {.beta = 1 / tau, .top_k = top_k, .smoothing = smoothing, .mean = true, .break_ties = true};
  }

  static constexpr loss_card card{"adpo_ranked", "mean over stages of smoothed plackett_luce on s / tau",
                                  "arXiv:2510.18913, Plackett-Luce"};
  template <class L = adpo_ranked>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"tau", &L::tau, range::positive()}, parameter{"top_k", &L::top_k, range::whole()},
                      parameter{"smoothing", &L::smoothing, range{.low = 0, .high = 1, .high_is_in = false}}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
