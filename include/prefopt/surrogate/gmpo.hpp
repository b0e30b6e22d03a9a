#pragma once

#include <prefopt/contract/token_surrogate.hpp>

namespace prefopt::inline PREFOPT_ABI::surrogate {

/// GMPO, geometric-mean policy optimization: the tokens' ratios are clipped before their geometric mean is taken.
///     k_t = min(l - o, high) if A > 0, else max(l - o, -low);  S = -A exp(mean over the counted tokens of k) at every token
///     dS/dl = -A exp(mean k) / n by each of the n counted tokens that is not clipped; 0 by the others
///     source    Zhao et al. 2025, arXiv:2507.20673
struct gmpo {
  double low = 0.4, high = 0.4;  ///< of the log-ratio, >= 0

  static constexpr columns needs = columns::old_policy;
  static constexpr surrogate_slope slope = surrogate_slope::by_sequence;
  static constexpr bool takes_mean = true, takes_exp = true;

  template <lane V>
  PREFOPT_INLINE value_slope<V> statistic(token_row<V> const& row) const noexcept {
    V const zero = math::constant<V>(0), one = math::constant<V>(1), highest = math::constant<V>(high),
            lowest = -math::constant<V>(low);
    auto const is_good = row.advantage > zero;
    V const above = math::indicator<V>(row.log_ratio > highest), below = math::indicator<V>(row.log_ratio < lowest);
    auto const cut = math::select(is_good, above, below) > zero;
    return {math::select(cut, math::select(is_good, highest, lowest), row.log_ratio), math::select(cut, zero, one)};
  }
  template <lane V>
  [[nodiscard]] PREFOPT_INLINE V ratio(token_row<V> const& row) const noexcept {
    return row.sequence;
  }
  template <lane V>
  PREFOPT_INLINE token_value<V> operator()(token_row<V> const& row) const noexcept {
    V const zero = math::constant<V>(0);
    V const value = math::vanishing(V(-row.advantage), ratio(row));
    auto const is_good = row.advantage > zero;
    return {value, value, math::select(is_good, zero, math::indicator<V>(row.log_ratio < -math::constant<V>(low))),
            math::select(is_good, math::indicator<V>(row.log_ratio > math::constant<V>(high)), zero)};
  }

  static constexpr loss_card card{"gmpo", "-A exp(mean k), k the log-ratio clipped by the sign of A",
                                  "arXiv:2507.20673"};
  template <class L = gmpo>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"low", &L::low, range::non_negative()},
                      parameter{"high", &L::high, range::non_negative()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI::surrogate
