#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <prefopt/surrogate/ppo_clip.hpp>

namespace prefopt::inline PREFOPT_ABI::surrogate {

/// FIPO: PPO's clipped surrogate, weighed by how the tokens that follow have moved.
///     F_t = sum over s >= t of 2^(-(s - t) / half_life) (l_s - o_s); 0 for a token that does not count, or whose ratio is
///           above dual, if there is one
///     w = clip(e^F, weight_low, weight_high), held constant; where A < 0 and the ratio is above safety, clip(w, 0.8, 1)
///     S = w ppo_clip,  dS/dl = w of ppo_clip's
///     source    swift's `fipo`
struct fipo {
  double low = 0.2;                          ///< in [0, 1]
  double high = 0.28;                        ///< >= 0
  double dual = 0;                           ///< 0: no cap; else >= 1
  double half_life = 32;                     ///< in tokens, > 0
  double weight_low = 1, weight_high = 1.2;  ///< > 0
  double safety = 4;                         ///< > 0

  static constexpr columns needs = columns::old_policy;

  /// Never 0, which would say that nothing decays.
  [[nodiscard]] double decay() const noexcept {
    return std::max(std::exp2(-1 / half_life), std::numeric_limits<double>::min());
  }
  template <lane V>
  PREFOPT_INLINE value_slope<V> statistic(token_row<V> const& row) const noexcept {
    V const zero = math::constant<V>(0);
    if (dual == 0) return {row.log_ratio, zero};
    return {math::select(row.ratio() > math::constant<V>(dual), zero, row.log_ratio), zero};
  }
  template <lane V>
  PREFOPT_INLINE token_value<V> operator()(token_row<V> const& row) const noexcept {
    V const zero = math::constant<V>(0);
    auto const at = ppo_clip{.low = low, .high = high, .dual = dual}(row);
    V const follows =
        math::limited(math::exp_of_any(row.sequence), math::constant<V>(weight_low), math::constant<V>(weight_high));
    auto const is_unsafe = (row.advantage < zero) & (row.ratio() > math::constant<V>(safety));
    V const weight =
        math::select(is_unsafe, math::limited(follows, math::constant<V>(0.8), math::constant<V>(1)), follows);
    return {math::vanishing(at.value, weight), math::vanishing(at.slope, weight), at.below, at.above};
  }

  [[nodiscard]] constexpr char const* problem() const noexcept {
    if (weight_low > weight_high) return "weight_low is above weight_high, expected weight_low <= weight_high";
    return ppo_clip{.low = low, .high = high, .dual = dual}.problem();
  }
  static constexpr loss_card card{"fipo", "w ppo_clip, w = clip(e^F, weight_low, weight_high) held constant", "swift"};
  template <class L = fipo>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"low", &L::low, range{.low = 0, .high = 1}},
                      parameter{"high", &L::high, range::non_negative()},
                      parameter{"dual", &L::dual, range::non_negative()},
                      parameter{"half_life", &L::half_life, range::positive()},
                      parameter{"weight_low", &L::weight_low, range::positive()},
                      parameter{"weight_high", &L::weight_high, range::positive()},
                      parameter{"safety", &L::safety, range::positive()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI::surrogate
