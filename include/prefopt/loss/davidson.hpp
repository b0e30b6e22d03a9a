#pragma once

#include <prefopt/contract/pair_loss.hpp>
#include <prefopt/link/ties.hpp>
#include <prefopt/score/sum.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// Reward modelling with ties, as a third choice. `chosen` and `rejected` are rewards; `label` is the outcome: 1 where
/// chosen won, 1/2 where there was a tie, 0 where it lost.
///     d = chosen - rejected
///     L = -log of the outcome's share in softmax(d / 2, -d / 2, kappa) of won, lost and tied
///     special   far below 0 kappa leaves bradley_terry; d = +-inf gives 0 or +inf, in a tie +inf
///     source    Davidson 1970
struct davidson {
  double kappa = 0.5;  ///< the larger, the more ties

  using score = sum;
  static constexpr columns needs = columns::label;
  static constexpr column_rule rule{columns::label, allowed_values::outcome};
  template <lane V>
  PREFOPT_INLINE choice_of_tie<V> link(pair_row<V> const& row) const noexcept {
    return {row.label, kappa};
  }
  [[nodiscard]] static constexpr linear logit() noexcept { return {}; }

  static constexpr loss_card card{"davidson", "-log P(outcome), P = softmax(d / 2, -d / 2, kappa) of won, lost, tied",
                                  "Davidson 1970"};
  static constexpr auto parameters() noexcept { return std::tuple{parameter{"kappa", &davidson::kappa, range{}}}; }
};

}  // namespace prefopt::inline PREFOPT_ABI
