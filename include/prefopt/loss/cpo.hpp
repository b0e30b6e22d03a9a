#pragma once

#include <prefopt/contract/pair_loss.hpp>
#include <prefopt/link/logistic.hpp>
#include <prefopt/score/sum.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// CPO, contrastive preference optimization: DPO without a reference, plus the chosen completion's likelihood.
///     L = log(1 + e^(-beta (chosen - rejected))) - sft chosen
///     special   chosen - rejected = +inf gives 0, -inf gives +inf in the first term
///     source    Xu et al. 2024, arXiv:2401.08417, eq. 6
/// The likelihood term is on the token sum: for a mean over tokens divide `sft` by the length. Smoothing leaves it
/// alone.
struct cpo {
  double beta = 0.1;  ///< > 0
  double sft = 0;     ///< weight of -log pi(chosen), >= 0

  using score = sum;
  static constexpr bool fuses = true;
  [[nodiscard]] static constexpr logistic link() noexcept { return {}; }
  [[nodiscard]] constexpr linear logit() const noexcept { return {.scale = beta}; }

  template <lane V>
  PREFOPT_INLINE pair_value<V> rest(V const& a, V const&) const noexcept {
    V const zero = math::constant<V>(0), weight = math::constant<V>(sft);
    // Without the term, a chosen log-prob of -inf must not become 0 * inf.
    return {sft == 0 ? zero : V(-weight * a), V(-weight), zero};
  }

  static constexpr loss_card card{"cpo", "softplus(-beta (chosen - rejected)) - sft chosen", "arXiv:2401.08417, eq. 6"};
  template <class L = cpo>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"beta", &L::beta, range::positive()}, parameter{"sft", &L::sft, range::non_negative()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
