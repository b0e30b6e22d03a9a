#pragma once

#include <prefopt/link/link.hpp>
#include <prefopt/simd/math.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// Rectified (hinge) link with its kink at a target.
///     phi(z)  = max(0, target - z)
///     phi'(z) = -1 for z < target, 0 from there on (the kink takes 0)
///     special   phi(+inf) = 0, phi(-inf) = +inf; NaN gives NaN in both
struct rectified_at {
  double target = 1;

  template <lane V>
  PREFOPT_INLINE value_slope<V> operator()(V const& z) const noexcept {
    V const zero = math::constant<V>(0), end = math::constant<V>(target);
    auto const flat = z >= end;
    return {math::select(flat, zero, V(end - z)), math::select(flat, zero, math::or_nan_of(math::constant<V>(-1), z))};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
