#pragma once

#include <prefopt/contract/unpaired_loss.hpp>
#include <prefopt/link/logistic.hpp>
#include <prefopt/score/anchored.hpp>
#include <prefopt/score/sum.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// BCO, binary classifier optimization: is the completion a good one, with the implicit reward as the logit.
///     z = beta a - delta,  a = logp - ref_logp
///     L = log(1 + e^-z) if desirable, log(1 + e^z) if not; between, by the label
///     delta     the mean reward, kept by a running_mean between steps; 0 in TRL's bco_pair
///     special   the right end gives 0, the wrong one +inf with slope -+beta
///     source    Jung et al. 2024, arXiv:2404.04656, eq. 9 to 12
/// Density-ratio weights of undesirable completions are the column weight.
struct bco {
  double beta = 0.1;  ///< > 0
  double delta = 0;   ///< shift of the reward, held constant

  using score = anchored<sum>;
  static constexpr columns needs = anchored<sum>::needs | columns::label;
  [[nodiscard]] constexpr double reward_scale() const noexcept { return beta; }

  template <lane V>
  PREFOPT_INLINE value_slope<V> operator()(unpaired_row<V> const& row, V const& a) const noexcept {
    V const scale = math::constant<V>(beta), other = math::constant<V>(1) - row.label;
    auto const at = logistic{}.mixed(row.label, other, math::fma(scale, a, math::constant<V>(-delta)));
    return {at.value, V(scale * at.slope)};
  }

  static constexpr loss_card card{"bco", "softplus(-+(beta a - delta))", "arXiv:2404.04656, eq. 9-12"};
  template <class L = bco>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"beta", &L::beta, range::positive()}, parameter{"delta", &L::delta, range{}}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
