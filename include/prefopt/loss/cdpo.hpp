#pragma once

#include <prefopt/loss/dpo.hpp>
#include <prefopt/modifier/smoothed.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// cDPO, conservative DPO: a name for smoothed<dpo>.
///     L = (1 - epsilon) log(1 + e^-z) + epsilon log(1 + e^z),  z = beta h
///     least at z = log((1 - epsilon) / epsilon), where L is the entropy of epsilon
///     source    Mitchell 2023, "A note on DPO with noisy preferences"
struct cdpo {
  double beta = 0.1;     ///< > 0
  double epsilon = 0.1;  ///< in [0, 0.5]; 0 is dpo, bit for bit

  [[nodiscard]] constexpr smoothed<dpo> composition() const noexcept {
    return {.base = {.beta = beta}, .epsilon = epsilon};
  }

  static constexpr loss_card card{"cdpo", "(1 - epsilon) softplus(-beta h) + epsilon softplus(beta h)",
                                  "cDPO note, Mitchell 2023"};
  template <class L = cdpo>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"beta", &L::beta, range::positive()},
                      parameter{"epsilon", &L::epsilon, range{.low = 0, .high = 0.5}}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
