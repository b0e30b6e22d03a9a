#pragma once

#include <prefopt/surrogate/dppo_tv.hpp>

namespace prefopt::inline PREFOPT_ABI::surrogate {

/// DPPO with the KL of token against not-token.
///     p = e^l, q = e^o,  d = q (o - l) + (1 - q) log((1 - q) / (1 - p))
///     kept if A > 0: d <= high or p <= q, else d <= low or p >= q;  w, S and the slope as in dppo_tv
///     special   a term with the factor 0 is 0; log-probs above 0 are taken for 0
///     source    Qi et al. 2026, arXiv:2602.04879; verl's `dppo_kl` with cap = 20
struct dppo_kl {
  double low = 0.05, high = 0.05;  ///< >= 0
  double cap = 20;                 ///< > 0

  static constexpr columns needs = columns::old_policy;
  static constexpr surrogate_slope slope = surrogate_slope::by_log_prob;

  template <lane V>
  PREFOPT_INLINE token_value<V> operator()(token_row<V> const& row) const noexcept {
    V const zero = math::constant<V>(0);
    auto const at_most_0 = [&](V const& x) { return math::select(x > zero, zero, x); };
    V const l = at_most_0(row.log_prob), o = at_most_0(row.old_log_prob);
    V const other_p = -math::expm1(l), other_q = -math::expm1(o);
    V const divergence =
        math::vanishing(math::exp(o), V(o - l)) + math::vanishing(other_q, V(math::log(other_q) - math::log(other_p)));
    auto const is_good = row.advantage > zero;
    V const bound = math::select(is_good, math::constant<V>(high), math::constant<V>(low));
    V const toward = math::select(is_good, V(o - l), V(l - o));
    return kept_in_region(row, cap, math::indicator<V>((divergence <= bound) | (toward >= zero)));
  }

  static constexpr loss_card card{"dppo_kl", "-min(r, cap) A l while the binary KL is within low and high",
                                  "arXiv:2602.04879"};
  template <class L = dppo_kl>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"low", &L::low, range::non_negative()},
                      parameter{"high", &L::high, range::non_negative()}, parameter{"cap", &L::cap, range::positive()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI::surrogate
