#pragma once

#include <prefopt/contract/unpaired_loss.hpp>
#include <prefopt/link/bounded.hpp>
#include <prefopt/score/anchored.hpp>
#include <prefopt/score/sum.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// Unpaired APO-zero: KTO around the reference itself, without its estimate of a KL.
///     L = desirable_weight sigma(-beta a) if desirable, undesirable_weight sigma(beta a) if not; between, by the label
///     special   a = +-inf gives 0 or the weight; the slope vanishes at both ends. A pair of one of each is apo_zero
///     source    D'Oosterlinck et al. 2024, arXiv:2408.06266; TRL's kto_trainer.py
struct apo_zero_unpaired {
  double beta = 0.1;                                    ///< > 0
  double desirable_weight = 1, undesirable_weight = 1;  ///< > 0

  using score = anchored<sum>;
  static constexpr columns needs = anchored<sum>::needs | columns::label;
  [[nodiscard]] constexpr double reward_scale() const noexcept { return beta; }

  template <lane V>
  PREFOPT_INLINE value_slope<V> operator()(unpaired_row<V> const& row, V const& a) const noexcept {
    V const scale = math::constant<V>(beta), other = math::constant<V>(1) - row.label;
    auto const at = bounded{}.mixed(V(math::constant<V>(desirable_weight) * row.label),
                                    V(math::constant<V>(undesirable_weight) * other), V(scale * a));
    return {at.value, V(scale * at.slope)};
  }

  static constexpr loss_card card{"apo_zero_unpaired", "weight sigma(-+ beta a)", "arXiv:2408.06266; TRL"};
  template <class L = apo_zero_unpaired>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"beta", &L::beta, range::positive()},
                      parameter{"desirable_weight", &L::desirable_weight, range::positive()},
                      parameter{"undesirable_weight", &L::undesirable_weight, range::positive()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
