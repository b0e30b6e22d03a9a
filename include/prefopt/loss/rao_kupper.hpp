#pragma once

#include <prefopt/contract/pair_loss.hpp>
#include <prefopt/link/ties.hpp>
#include <prefopt/score/sum.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// Reward modelling with ties, by a threshold. `chosen` and `rejected` are rewards; `label` is the outcome: 1 where
/// chosen won, 1/2 where there was a tie, 0 where it lost.
///     d = chosen - rejected
///     L = log(1 + e^(kappa - d)) won, log(1 + e^(kappa + d)) lost,
///         log(1 + e^(kappa - d)) + log(1 + e^(kappa + d)) - log(e^(2 kappa) - 1) tied
///     special   kappa = 0 is bradley_terry, a tie then +inf; d = +-inf gives 0 or +inf, in a tie +inf
///     source    Rao and Kupper 1967
struct rao_kupper {
  double kappa = 0.5;  ///< differences below it tend to be ties, >= 0; > 0 where there are any

  using score = sum;
  static constexpr columns needs = columns::label;
  static constexpr column_rule rule{columns::label, allowed_values::outcome};
  template <lane V>
  PREFOPT_INLINE threshold_ties<V> link(pair_row<V> const& row) const noexcept {
    return {row.label, kappa};
  }
  [[nodiscard]] static constexpr linear logit() noexcept { return {}; }

  static constexpr loss_card card{
      "rao_kupper", "-log P(outcome), P(won) = sigma(d - kappa), P(lost) = sigma(-d - kappa)", "Rao and Kupper 1967"};
  template <class L = rao_kupper>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"kappa", &L::kappa, range::non_negative()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
