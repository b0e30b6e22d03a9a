#pragma once

#include <prefopt/contract/pair_loss.hpp>
#include <prefopt/link/logistic.hpp>
#include <prefopt/score/anchored.hpp>
#include <prefopt/score/length_mean.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// Length-normalized DPO: the anchored log-ratio per token.
///     h = (chosen - ref_chosen) / chosen_length - (rejected - ref_rejected) / rejected_length
///     L = log(1 + e^(-beta h)),  dL/dchosen = -beta sigma(-beta h) / chosen_length
///     special   h = 0 gives log 2; h = +inf gives 0, h = -inf gives +inf
///     source    Lambert et al. 2024 (Tulu 3), arXiv:2411.15124, eq. 6
struct ln_dpo {
  double beta = 5;  ///< > 0; usual 2 to 15: larger than for dpo, since a mean is smaller than a sum

  using score = anchored<length_mean>;
  static constexpr bool fuses = true;
  [[nodiscard]] static constexpr logistic link() noexcept { return {}; }
  [[nodiscard]] constexpr linear logit() const noexcept { return {.scale = beta}; }

  static constexpr loss_card card{"ln_dpo", "softplus(-beta mean h)", "arXiv:2411.15124, eq. 6"};
  template <class L = ln_dpo>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"beta", &L::beta, range::positive()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
