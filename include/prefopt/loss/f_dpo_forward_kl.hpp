#pragma once

#include <prefopt/contract/pair_loss.hpp>
#include <prefopt/loss/f_dpo_alpha.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// f-DPO with the forward KL in the place of the reverse: f_dpo_alpha with alpha 0.
///     a = chosen - ref_chosen,  b = rejected - ref_rejected,  z = beta (e^-b - e^-a),  L = log(1 + e^-z)
///     dL/dchosen = -beta sigma(-z) e^-a,  dL/drejected = beta sigma(-z) e^-b
///     special   as f_dpo_alpha
///     source    Wang et al. 2023, arXiv:2309.16240, table 1
struct f_dpo_forward_kl {
  double beta = 0.1;  ///< strength of the anchor, > 0

  [[nodiscard]] constexpr f_dpo_alpha composition() const noexcept { return {.beta = beta, .alpha = 0}; }

  static constexpr loss_card card{"f_dpo_forward_kl", "softplus(-beta (e^-b - e^-a))", "arXiv:2309.16240, table 1"};
  template <class L = f_dpo_forward_kl>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"beta", &L::beta, range::positive()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
