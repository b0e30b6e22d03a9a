#pragma once

#include <prefopt/contract/token_surrogate.hpp>

namespace prefopt::inline PREFOPT_ABI::surrogate {

/// GSPO-token: the value of GSPO with the sequence's ratio held constant, times each token's own path.
///     s = exp(min(mean(l - o), limit)), S = max(-A s, -A clip(s, 1 - low, 1 + high)),  dS/dl = -A s where it is neither
///     clipped nor limited
/// With one advantage a sequence and aggregation::sequence_mean_of_means the gradient is gspo's.
///     source    Zheng et al. 2025, arXiv:2507.18071; verl's `gspo` with limit = 10, swift's `sequence_token`
struct gspo_token {
  double low = 3e-4;   ///< in [0, 1]
  double high = 4e-4;  ///< >= 0
  double limit = 0;    ///< of the mean log-ratio, > 0; 0: none

  static constexpr columns needs = columns::old_policy;
  static constexpr surrogate_slope slope = surrogate_slope::by_log_prob;
  static constexpr bool takes_mean = true;

  template <lane V>
  PREFOPT_INLINE value_slope<V> statistic(token_row<V> const& row) const noexcept {
    return {row.log_ratio, math::constant<V>(1)};
  }
  template <lane V>
  PREFOPT_INLINE token_value<V> operator()(token_row<V> const& row) const noexcept {
    V const zero = math::constant<V>(0), one = math::constant<V>(1), highest = math::constant<V>(limit);
    V const mean = row.sequence;
    auto const over = math::indicator<V>(mean > highest) > (limit == 0 ? one : zero);
    V const ratio = math::exp_of_any(math::select(over, highest, mean));
    auto const at =
        clipped_surrogate(row.advantage, ratio, V(one - math::constant<V>(low)), V(one + math::constant<V>(high)));
    return {at.value, math::select(over, zero, at.slope), at.below, at.above};
  }

  static constexpr loss_card card{"gspo_token", "as gspo, by each token's own path", "arXiv:2507.18071"};
  template <class L = gspo_token>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"low", &L::low, range{.low = 0, .high = 1}},
                      parameter{"high", &L::high, range::non_negative()},
                      parameter{"limit", &L::limit, range::non_negative()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI::surrogate
