#pragma once

#include <prefopt/link/link.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// Rectified (hinge) link, the loss of SLiC and RSO.
///     phi(z)  = max(0, 1 - z)
///     phi'(z) = -1 for z < 1, 0 from z = 1 on (the kink takes 0)
///     special   phi(+inf) = 0, phi(-inf) = +inf; NaN gives NaN in both
struct rectified {
  template <lane V>
  PREFOPT_INLINE value_slope<V> operator()(V const& z) const noexcept {
    V const zero = math::constant<V>(0), one = math::constant<V>(1);
    auto const flat = z >= one;
    auto const number = z == z;
    return {math::select(flat, zero, V(one - z)), math::select(flat, zero, math::select(number, V(-one), z))};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
