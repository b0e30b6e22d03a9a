#pragma once

#include <prefopt/link/link.hpp>
#include <prefopt/simd/math.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// Logistic link, the loss of DPO, SimPO and Bradley-Terry.
///     phi(z)  = log(1 + e^-z)
///     phi'(z) = -1 / (1 + e^z)
///     special   phi(+inf) = 0, phi(-inf) = +inf; NaN gives NaN
///     lanes     largest error, float and double: value 2.3 ULP, slope 3 ULP; 0 where it would be subnormal
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

  /// q phi(z) + p phi(-z), where q + p = 1.
  template <lane V>
  PREFOPT_INLINE value_slope<V> mixed(V const& q, V const& p, V const& z) const noexcept {
    V const zero = math::constant<V>(0);
    auto const parts = math::logistic(z);
    // Both signs have the logarithm, one has |z|. A label without doubt must not make 0 * inf of it.
    V const share = math::select(z > zero, p, q), least = parts.least_softplus;
    return {math::select(share == zero, least, math::fma(share, math::abs(z), least)),
            math::fma(p, parts.sigmoid, V(-V(q * parts.sigmoid_negated)))};
  }

  /// phi(-z) - phi(z) = z, exactly.
  template <lane V>
  PREFOPT_INLINE value_slope<V> gap(V const& z) const noexcept {
    return {z, math::constant<V>(1)};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
