#pragma once

#include <prefopt/link/link.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// Squared distance to each pair's own target, the loss of iREPO and of RPO's squared form.
///     phi(z)  = (z - target)^2
///     phi'(z) = 2 (z - target)
///     special   phi(+-inf) = +inf; NaN gives NaN
template <lane V>
struct squared_to {
  V target;

  PREFOPT_INLINE value_slope<V> operator()(V const& z) const noexcept {
    V const distance = z - target;
    return {V(distance * distance), V(distance + distance)};
  }

  /// phi(-z) - phi(z) = 4 target z, without the difference of two squares.
  PREFOPT_INLINE value_slope<V> gap(V const& z) const noexcept {
    V const slope = math::constant<V>(4) * target, zero = math::constant<V>(0);
    // Around 0 both are the same, also at infinity.
    return {V(math::select((slope == zero) & (z == z), zero, V(slope * z))), slope};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
