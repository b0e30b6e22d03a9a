#pragma once

#include <prefopt/link/link.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// Squared distance to a target, the loss of IPO.
///     phi(z)  = (z - target)^2
///     phi'(z) = 2 (z - target)
///     special   phi(+-inf) = +inf; NaN gives NaN
struct squared {
  double target = 0;

  template <lane V>
  PREFOPT_INLINE value_slope<V> operator()(V const& z) const noexcept {
    V const distance = z - math::constant<V>(target);
    return {V(distance * distance), V(distance + distance)};
  }

  /// phi(-z) - phi(z) = 4 target z, without the difference of two squares.
  template <lane V>
  PREFOPT_INLINE value_slope<V> gap(V const& z) const noexcept {
    V const slope = math::constant<V>(4 * target);
    return {V(slope * z), slope};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
