#pragma once

#include <prefopt/contract/unpaired_loss.hpp>
#include <prefopt/score/anchored.hpp>
#include <prefopt/score/sum.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// Regression of the implicit reward on a target: GPO, A2PO, one half of SPPO, iREPO point by point.
///     L = (beta a - target)^2,  dL/da = 2 beta (beta a - target),  a = logp - ref_logp
///     target    GPO: (win rate - log Z) / beta; A2PO: reward - V*; SPPO: (p - 1/2) / beta with this beta 1
///     special   a = +-inf gives +inf
///     source    arXiv:2410.02197 (general preference optimization); TRL's a2po_trainer.py
struct score_regression {
  double beta = 1;  ///< > 0

  using score = anchored<sum>;
  static constexpr columns needs = anchored<sum>::needs | columns::target;
  [[nodiscard]] constexpr double reward_scale() const noexcept { return beta; }

  template <lane V>
  PREFOPT_INLINE value_slope<V> operator()(unpaired_row<V> const& row, V const& a) const noexcept {
    V const scale = math::constant<V>(beta), distance = math::fma(scale, a, V(-row.target));
    return {V(distance * distance), V(scale * (distance + distance))};
  }

  static constexpr loss_card card{"score_regression", "(beta a - target)^2", "arXiv:2410.02197; TRL a2po"};
  template <class L = score_regression>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"beta", &L::beta, range::positive()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
