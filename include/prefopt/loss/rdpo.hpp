#pragma once

#include <prefopt/loss/dpo.hpp>
#include <prefopt/modifier/unbiased.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// rDPO, robust DPO: a name for unbiased<dpo>.
///     L = ((1 - epsilon) log(1 + e^-z) - epsilon log(1 + e^z)) / (1 - 2 epsilon),  z = beta h
/// Unbounded below as z grows (slope tends to -beta epsilon / (1 - 2 epsilon)): bound the policy, not the loss.
///     source    Ray Chowdhury et al. 2024, arXiv:2403.00409, eq. 12
struct rdpo {
  double beta = 0.1;     ///< > 0
  double epsilon = 0.1;  ///< flip rate, in [0, 0.5); 0 is dpo, bit for bit

  [[nodiscard]] constexpr unbiased<dpo> composition() const noexcept {
    return {.base = {.beta = beta}, .epsilon = epsilon};
  }

  static constexpr loss_card card{"rdpo",
                                  "((1 - epsilon) softplus(-beta h) - epsilon softplus(beta h)) / (1 - 2 epsilon)",
                                  "arXiv:2403.00409, eq. 12"};
  template <class L = rdpo>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"beta", &L::beta, range::positive()},
                      parameter{"epsilon", &L::epsilon, range{.low = 0, .high = 0.5, .high_is_in = false}}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
