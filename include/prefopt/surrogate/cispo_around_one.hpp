#pragma once

#include <prefopt/surrogate/cispo.hpp>

namespace prefopt::inline PREFOPT_ABI::surrogate {

/// CISPO with bounds as PPO has them.
///     w = clip(exp(l - o), 1 - low, 1 + high), held constant;  S = -w A l,  dS/dl = -w A
///     source    verl, NeMo-RL, slime, SkyRL, ROLL (0.1 and 0.1); open-instruct with low = 1
struct cispo_around_one {
  double low = 0.2;   ///< in [0, 1]
  double high = 0.2;  ///< >= 0

  static constexpr columns needs = columns::old_policy;
  static constexpr surrogate_slope slope = surrogate_slope::by_log_prob;

  template <lane V>
  PREFOPT_INLINE token_value<V> operator()(token_row<V> const& row) const noexcept {
    return cispo{.low = 1 - low, .high = 1 + high}(row);
  }

  static constexpr loss_card card{"cispo_around_one", "-clip(r, 1 - low, 1 + high) A l, the ratio held constant",
                                  "arXiv:2506.13585"};
  template <class L = cispo_around_one>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"low", &L::low, range{.low = 0, .high = 1}},
                      parameter{"high", &L::high, range::non_negative()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI::surrogate
