#pragma once

#include <prefopt/contract/pair_loss.hpp>
#include <prefopt/link/cauchy.hpp>
#include <prefopt/score/anchored.hpp>
#include <prefopt/score/sum.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// DPO with the Cauchy distribution in the place of the logistic: outliers among the labels cost little.
///     h = (chosen - ref_chosen) - (rejected - ref_rejected), z = beta h, P = 1/2 + atan(z) / pi
///     L = -log P,  dL/dh = -beta / (pi (1 + z^2) P)
///     special   h = 0 gives log 2; h = +inf gives 0, h = -inf gives +inf, slope 0 at both
///     source    the code of MallowsPO, loss_type cauchy
struct cauchy_dpo {
  double beta = 0.1;  ///< > 0

  using score = anchored<sum>;
  [[nodiscard]] static constexpr cauchy link() noexcept { return {}; }
  [[nodiscard]] constexpr linear logit() const noexcept { return {.scale = beta}; }

  static constexpr loss_card card{"cauchy_dpo", "-log(1/2 + atan(beta h) / pi)", "code of arXiv:2405.14953"};
  template <class L = cauchy_dpo>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"beta", &L::beta, range::positive()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
