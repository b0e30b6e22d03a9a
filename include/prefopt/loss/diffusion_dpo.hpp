#pragma once

#include <prefopt/contract/pair_loss.hpp>
#include <prefopt/link/logistic.hpp>
#include <prefopt/score/anchored.hpp>
#include <prefopt/score/sum.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// Diffusion-DPO: `chosen` and `rejected` are errors of the noise prediction, mean squares over the latent, smaller is
/// better.
///     e = (chosen - ref_chosen) - (rejected - ref_rejected), z = -beta / 2 e
///     L = log(1 + e^-z),  dL/de = beta / 2 sigma(-z)
///     special   e = 0 gives log 2; e = -inf gives 0, e = +inf gives +inf
///     source    Wallace et al. 2023, arXiv:2311.12908, eq. 14
/// dpo with half the beta on the errors' negatives. The two sides' errors are of the same noise and timestep.
struct diffusion_dpo {
  double beta = 5000;  ///< > 0; usual 2000 to 5000

  using score = anchored<sum>;
  [[nodiscard]] static constexpr logistic link() noexcept { return {}; }
  /// The implicit reward of a smaller error is larger.
  [[nodiscard]] constexpr linear logit() const noexcept { return {.scale = -0.5 * beta}; }

  static constexpr loss_card card{"diffusion_dpo", "softplus(beta/2 e), e a difference of errors",
                                  "arXiv:2311.12908, eq. 14"};
  template <class L = diffusion_dpo>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"beta", &L::beta, range::positive()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
