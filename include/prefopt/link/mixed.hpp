#pragma once

#include <prefopt/link/link.hpp>
#include <prefopt/simd/math.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// A link under a label that is right with probability q: the opposite label at the same logit has weight 1 - q.
///     phi(z)  = q base(z) + (1 - q) base(-z)
///     phi'(z) = q base'(z) - (1 - q) base'(-z)
/// Without cancellation for the logistic base, which shares one exp between both signs. q in [0, 1].
template <class Base, lane Q>
struct mixed {
  Base base;
  Q right, wrong;  ///< q and 1 - q

  template <lane V>
  PREFOPT_INLINE value_slope<V> operator()(V const& z) const noexcept {
    auto const both = detail::at_both_signs(base, z);
    V const q = lanes<V>(right), p = lanes<V>(wrong);
    return {V(part(q, both.plus.value) + part(p, both.minus.value)),
            V(part(q, both.plus.slope) - part(p, both.minus.slope))};
  }

  /// phi(-z) - phi(z) = (2 q - 1) (base(-z) - base(z)); of a label that leans to neither side 0, also at infinity.
  template <lane V>
  PREFOPT_INLINE value_slope<V> gap(V const& z) const noexcept {
    auto const of_base = detail::gap(base, z);
    V const lean = lanes<V>(right) - lanes<V>(wrong);
    return {math::or_nan_of(V(math::vanishing(lean, of_base.value)), z),
            math::or_nan_of(V(math::vanishing(lean, of_base.slope)), z)};
  }

 private:
  // A label without doubt must not turn the other label's infinity into 0 * inf.
  template <lane V>
  PREFOPT_INLINE static V part(V const& share, V const& value) noexcept {
    return math::select(share == math::constant<V>(0), math::constant<V>(0), V(share * value));
  }

  template <lane V, class X>
  PREFOPT_INLINE static V lanes(X const& x) noexcept {
    if constexpr (std::same_as<X, double>) {
      return math::constant<V>(x);
    } else {
      return x;
    }
  }
};

template <class Base, lane Q>
mixed(Base, Q, Q) -> mixed<Base, Q>;

}  // namespace prefopt::inline PREFOPT_ABI
