#pragma once

#include <prefopt/contract/unpaired_loss.hpp>
#include <prefopt/score/sum.hpp>
#include <prefopt/simd/math.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// Logarithmic barrier that keeps rewards inside an interval, beside a ranking loss.
///     r' = min(max(r, lower + epsilon), upper - epsilon)
///     L = -log(upper - r') - log(r' - lower),  dL/dr = 1 / (upper - r) - 1 / (r - lower) inside, 0 outside
///     special   from the clamps on the value is constant; NaN gives NaN
///     source    Cai et al. 2024 (InternLM2), arXiv:2403.17297; xtuner, with weight 0.01
/// `logp` is the reward.
struct log_barrier {
  double lower = -5, upper = 5;  ///< lower < upper
  double epsilon = 1e-3;         ///< distance of the clamps from the ends, > 0

  using score = sum;
  [[nodiscard]] constexpr char const* problem() const noexcept {
    return lower + epsilon < upper - epsilon ? nullptr : "lower + epsilon has to be below upper - epsilon";
  }

  template <lane V>
  PREFOPT_INLINE value_slope<V> operator()(unpaired_row<V> const&, V const& r) const noexcept {
    V const zero = math::constant<V>(0);
    V const least = math::constant<V>(lower + epsilon), most = math::constant<V>(upper - epsilon);
    auto const is_low = r < least;
    auto const is_high = r > most;
    // At a clamp the distance to its end is epsilon, of which little is left in least - lower.
    V const near = math::constant<V>(epsilon), far = math::constant<V>(upper - lower - epsilon);
    V const above = math::select(is_low, far, V(math::select(is_high, near, V(math::constant<V>(upper) - r))));
    V const below = math::select(is_low, near, V(math::select(is_high, far, V(r - math::constant<V>(lower)))));
    // One fraction: around the middle, two would cancel.
    V const from_middle = V(r + r) - math::constant<V>(lower + upper);
    V const slope = math::divide(from_middle, V(above * below));
    return {V(-(math::log(above) + math::log(below))),
            math::select(is_low, zero, V(math::select(is_high, zero, slope)))};
  }

  static constexpr loss_card card{"log_barrier", "-log(upper - r) - log(r - lower)", "arXiv:2403.17297"};
  template <class L = log_barrier>
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"lower", &L::lower, range{}}, parameter{"upper", &L::upper, range{}},
                      parameter{"epsilon", &L::epsilon, range::positive()}};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
