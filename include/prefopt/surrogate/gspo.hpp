#pragma once

#include <prefopt/contract/token_surrogate.hpp>

namespace prefopt::inline PREFOPT_ABI::surrogate {

/// GSPO, group sequence policy optimization: one ratio a sequence, the geometric mean of its tokens'.
///     s = exp(mean over the counted tokens of l - o),  S = max(-A s, -A clip(s, 1 - low, 1 + high)) at every token
///     dS/dl = -A s / n by each of the n counted tokens, where it is not clipped
///     source    Zheng et al. 2025, arXiv:2507.18071
struct gspo {
  double low = 3e-4;   ///< in [0, 1]
  double high = 4e-4;  ///< >= 0

  static constexpr columns needs = columns::old_policy;
  static constexpr surrogate_slope slope = surrogate_slope::by_sequence;
  static constexpr bool takes_mean = true, takes_exp = true;

  template <lane V>
  PREFOPT_INLINE value_slope<V> statistic(token_row<V> const& row) const noexcept {
    return {row.log_ratio, math::constant<V>(1)};
  }
  template <lane V>
  [[nodiscard]] PREFOPT_INLINE V ratio(token_row<V> const& row) const noexcept {
    return row.sequence;
  }
  template <lane V>
  PREFOPT_INLINE token_value<V> operator()(token_row<V> const& row) const noexcept {
    V const one = math::constant<V>(1);
    return clipped_surrogate(row.advantage, ratio(row), V(one - math::constant<V>(low)),
                             V(one + math::constant<V>(high)));
  }

  static constexpr loss_card card{"gspo", "max(-A s, -A clip(s, 1 - low, 1 + high)), s = exp(mean(l - o))",
                                  "arXiv:2507.18071"};
  template <class L = gspo>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"low", &L::low, range{.low = 0, .high = 1}},
                      parameter{"high", &L::high, range::non_negative()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI::surrogate
