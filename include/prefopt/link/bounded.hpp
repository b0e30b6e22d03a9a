#pragma once

#include <prefopt/link/link.hpp>
#include <prefopt/simd/math.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// Bounded link, the loss of KTO and APO: what is far on either side, also on the wrong one, counts no more.
///     phi(z)  = 1 / (1 + e^z)
///     phi'(z) = -sigma(z) sigma(-z)
///     special   phi(+inf) = 0, phi(-inf) = 1, slope 0 at both; NaN gives NaN
///     lanes     largest error, float and double: value 3 ULP, slope 5.4 ULP; 0 where it would be subnormal
struct bounded {
  template <lane V>
  PREFOPT_INLINE value_slope<V> operator()(V const& z) const noexcept {
    auto const parts = math::logistic(z);
    return {parts.sigmoid_negated, V(-(parts.sigmoid * parts.sigmoid_negated))};
  }

  /// phi at z and at -z, from the same exp.
  template <lane V>
  PREFOPT_INLINE both_signs<V> at_both_signs(V const& z) const noexcept {
    auto const parts = math::logistic(z);
    V const slope = -(parts.sigmoid * parts.sigmoid_negated);
    return {{parts.sigmoid_negated, slope}, {parts.sigmoid, slope}};
  }

  /// q phi(z) + p phi(-z), for finite weights.
  template <lane V>
  PREFOPT_INLINE value_slope<V> mixed(V const& q, V const& p, V const& z) const noexcept {
    auto const parts = math::logistic(z);
    return {math::fma(q, parts.sigmoid_negated, V(p * parts.sigmoid)),
            V(V(p - q) * V(parts.sigmoid * parts.sigmoid_negated))};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
