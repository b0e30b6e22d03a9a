#pragma once

#include <prefopt/contract/separable.hpp>
#include <prefopt/score/anchored.hpp>
#include <prefopt/score/sum.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// SPPO, self-play preference optimization: each log-ratio is brought to the log-ratio of the next policy of the game.
/// Reads `label` if it is given: p, the probability that chosen beats the policy; without it 1, the paper's hard form.
///     L = (a - (p - 1/2) / beta)^2 + (b + (p - 1/2) / beta)^2
///     a = chosen - ref_chosen,  b = rejected - ref_rejected
///     dL/dchosen = 2 (a - (p - 1/2) / beta),  dL/drejected = 2 (b + (p - 1/2) / beta)
///     special   0 at a = -b = (p - 1/2) / beta; +-inf gives +inf
///     source    Wu et al. 2024, arXiv:2405.00675, eq. 4.7; the authors' code has half of it
struct sppo {
  double beta = 1e-3;  ///< 1 / eta, > 0

  using score = anchored<sum>;
  static constexpr columns takes = columns::label;
  [[nodiscard]] constexpr double reward_scale() const noexcept { return beta; }

  template <lane V>
  PREFOPT_INLINE pair_value<V> operator()(pair_row<V> const& row, V const& a, V const& b) const noexcept {
    V const target = math::constant<V>(1 / beta) * (row.label - math::constant<V>(0.5));
    V const above = a - target, below = b + target;
    return detail::separable(a, b, value_slope<V>{V(above * above), V(above + above)},
                             value_slope<V>{V(below * below), V(below + below)});
  }

  static constexpr loss_card card{"sppo", "(a - (label - 1/2) / beta)^2 + (b + (label - 1/2) / beta)^2",
                                  "arXiv:2405.00675, eq. 4.7"};
  static constexpr auto parameters() noexcept { return std::tuple{parameter{"beta", &sppo::beta, range::positive()}}; }
};

}  // namespace prefopt::inline PREFOPT_ABI
