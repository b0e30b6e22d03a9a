#pragma once

#include <prefopt/link/link.hpp>
#include <prefopt/simd/math.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// Rectified (hinge) link with its kink at a target, rounded off below it: a parabola between two lines.
///     s = target - z
///     phi(z)  = 0 for s <= 0, s^2 / (2 width) for s < width, s - width / 2 from there on
///     phi'(z) = 0, -s / width, -1: continuous
///     special   phi(+inf) = 0, phi(-inf) = +inf with slope -1; NaN gives NaN in both
struct rectified_smoothly {
  double target = 1;
  double width = 5;  ///< > 0

  template <lane V>
  PREFOPT_INLINE value_slope<V> operator()(V const& z) const noexcept {
    V const zero = math::constant<V>(0), end = math::constant<V>(target), bend = math::constant<V>(width);
    V const short_by = math::select(z >= end, zero, V(end - z));
    // NaN is on neither side and stays what it is.
    V const bent = math::select(short_by >= bend, bend, short_by);
    V const steepness = math::divide(bent, bend);
    return {V(steepness * V(short_by - V(math::constant<V>(0.5) * bent))), V(-steepness)};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
