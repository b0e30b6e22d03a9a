#pragma once

#include <prefopt/link/link.hpp>
#include <prefopt/simd/math.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// Logistic link, the loss of DPO, SimPO and Bradley-Terry.
///     phi(z)  = log(1 + e^-z)
///     phi'(z) = -1 / (1 + e^z)
///     special   phi(+inf) = 0, phi(-inf) = +inf; NaN gives NaN
///     lanes     largest error, float and double: value 2.5 ULP, slope 3 ULP; 0 where it would be subnormal
struct logistic {
  template <lane V>
  PREFOPT_INLINE value_slope<V> operator()(V const& z) const noexcept {
    auto const parts = math::logistic(z);
    return {parts.softplus_negated, V(-parts.sigmoid_negated)};
  }

  /// phi at z and at -z, from the same exp.
  template <lane V>
  PREFOPT_INLINE both_signs<V> at_both_signs(V const& z) const noexcept {
    auto const parts = math::logistic(z);
    return {{parts.softplus_negated, V(-parts.sigmoid_negated)}, {parts.softplus, V(-parts.sigmoid)}};
  }

  /// phi(-z) - phi(z) = z, exactly.
  template <lane V>
  PREFOPT_INLINE value_slope<V> gap(V const& z) const noexcept {
    return {z, math::constant<V>(1)};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
