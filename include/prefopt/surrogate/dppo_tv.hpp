#pragma once

#include <prefopt/contract/token_surrogate.hpp>

namespace prefopt::inline PREFOPT_ABI::surrogate {

/// -w A l with w = min(exp(l - o), cap) held constant, or 0 where the token is not kept.
template <lane V>
PREFOPT_INLINE token_value<V> kept_in_region(token_row<V> const& row, double cap, V const& is_kept) noexcept {
  V const zero = math::constant<V>(0), one = math::constant<V>(1), most = math::constant<V>(cap), ratio = row.ratio();
  V const used = math::select(is_kept > zero, math::select(ratio > most, most, ratio), zero);
  // A token that is not kept is so for moving too far in the direction of A.
  V const lost = one - is_kept;
  auto const is_good = row.advantage > zero;
  V const weight = -math::vanishing(row.advantage, used);
  return {math::vanishing(weight, row.log_prob), weight, math::select(is_good, zero, lost),
          math::select(is_good, lost, zero)};
}

/// DPPO with total variation: a token counts as long as its probability has not moved too far where A wants it.
///     w = min(exp(l - o), cap), held constant;  kept if A > 0: e^l - e^o <= high, else e^l - e^o >= -low
///     S = -w A l,  dS/dl = -w A;  0 for a token that is not kept
///     source    Qi et al. 2026, arXiv:2602.04879; verl's `dppo_tv` with cap = 20
struct dppo_tv {
  double low = 0.2, high = 0.2;  ///< in [0, 1]
  double cap = 20;               ///< > 0

  static constexpr columns needs = columns::old_policy;
  static constexpr surrogate_slope slope = surrogate_slope::by_log_prob;

  template <lane V>
  PREFOPT_INLINE token_value<V> operator()(token_row<V> const& row) const noexcept {
    V const moved = math::exp_of_any(row.log_prob) - math::exp_of_any(row.old_log_prob);
    return kept_in_region(
        row, cap,
        V(math::select(row.advantage > math::constant<V>(0), math::indicator<V>(moved <= math::constant<V>(high)),
                       math::indicator<V>(moved >= -math::constant<V>(low)))));
  }

  static constexpr loss_card card{"dppo_tv", "-min(r, cap) A l while e^l is within low and high of e^o",
                                  "arXiv:2602.04879"};
  template <class L = dppo_tv>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"low", &L::low, range{.low = 0, .high = 1}},
                      parameter{"high", &L::high, range{.low = 0, .high = 1}},
                      parameter{"cap", &L::cap, range::positive()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI::surrogate
