#pragma once

#include <prefopt/contract/pair_loss.hpp>
#include <prefopt/loss/dpo.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// f-DPO with the reverse KL: a name for dpo.
///     source    Wang et al. 2023, arXiv:2309.16240, table 1
struct f_dpo_reverse_kl {
  double beta = 0.1;  ///< strength of the anchor, > 0

  [[nodiscard]] constexpr dpo composition() const noexcept { return {.beta = beta}; }

  static constexpr loss_card card{"f_dpo_reverse_kl", "softplus(-beta h)", "arXiv:2309.16240, table 1"};
  template <class L = f_dpo_reverse_kl>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"beta", &L::beta, range::positive()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
