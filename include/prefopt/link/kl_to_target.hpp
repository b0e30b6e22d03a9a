#pragma once

#include <prefopt/link/link.hpp>
#include <prefopt/simd/math.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// Divergence KL(sigma(z) || p) of the policy's preference from a target's, the link of EXO and of RPO's forward form.
///     phi(z)  = q (log q - log p) + (1 - q) (log(1 - q) - log(1 - p)),  q = sigma(z)
///     phi'(z) = q (1 - q) (z - logit p)
///     special   phi(+inf) = -log p, phi(-inf) = -log(1 - p), slope 0 at both; NaN gives NaN
/// Not convex: the slope vanishes far from the target on both sides. phi cancels at the target, where it is 0.
template <lane V>
struct kl_to_target {
  V log_right, log_wrong;  ///< log p and log(1 - p)
  V target;                ///< their difference, logit p

  PREFOPT_INLINE value_slope<V> operator()(V const& z) const noexcept {
    auto const parts = math::logistic(z);
    V const right = V(-parts.softplus_negated) - log_right, wrong = V(-parts.softplus) - log_wrong;
    V const spread = parts.sigmoid * parts.sigmoid_negated;
    return {V(part(parts.sigmoid, right) + part(parts.sigmoid_negated, wrong)), part(spread, V(z - target))};
  }

  /// phi(-z) - phi(z) = (2 q - 1) logit p: the entropies are the same.
  PREFOPT_INLINE value_slope<V> gap(V const& z) const noexcept {
    auto const parts = math::logistic(z);
    V const spread = parts.sigmoid * parts.sigmoid_negated;
    return {V(V(parts.sigmoid - parts.sigmoid_negated) * target), V(V(spread + spread) * target)};
  }

 private:
  // Nothing is left of a factor, infinite or not, where sigma has underflowed.
  PREFOPT_INLINE static V part(V const& share, V const& factor) noexcept {
    return math::select(share == math::constant<V>(0), math::constant<V>(0), V(share * factor));
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
