#pragma once

#include <prefopt/link/link.hpp>
#include <prefopt/simd/math.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// Divergence KL(p || sigma(z)) of a target's preference from the policy's, the link of RPO's backward form: logistic
/// with the label p, less the entropy of p.
///     phi(z)  = p (log p - log sigma(z)) + (1 - p) (log(1 - p) - log sigma(-z)),  p = sigma(target)
///     phi'(z) = sigma(z) - p = (1 - p) sigma(z) - p sigma(-z)
///     special   phi(+-inf) = +inf, but for p = 0 or 1, where one side is 0; NaN gives NaN
/// phi cancels at the target, where it is 0.
template <lane V>
struct kl_from_target {
  V target;

  PREFOPT_INLINE value_slope<V> operator()(V const& z) const noexcept {
    auto const at = math::logistic(z), wanted = math::logistic(target);
    V const right = at.softplus_negated - wanted.softplus_negated, wrong = at.softplus - wanted.softplus;
    V const above = wanted.sigmoid_negated * at.sigmoid, below = wanted.sigmoid * at.sigmoid_negated;
    return {V(part(wanted.sigmoid, right) + part(wanted.sigmoid_negated, wrong)), V(above - below)};
  }

  /// phi(-z) - phi(z) = (2 p - 1) z.
  PREFOPT_INLINE value_slope<V> gap(V const& z) const noexcept {
    auto const wanted = math::logistic(target);
    V const lean = wanted.sigmoid - wanted.sigmoid_negated, zero = math::constant<V>(0);
    return {V(math::select((lean == zero) & (z == z), zero, V(lean * z))), lean};
  }

 private:
  // A preference without doubt must not turn the other label's infinity into 0 * inf.
  PREFOPT_INLINE static V part(V const& share, V const& factor) noexcept {
    return math::select(share == math::constant<V>(0), math::constant<V>(0), V(share * factor));
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
