#pragma once

#include <prefopt/link/link.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// A link of the logit times each pair's own scale.
///     phi(z)  = base(scale z)
///     phi'(z) = scale base'(scale z)
/// In the link, and not in a logit of the row, the scale leaves the pair swapped at -z.
template <class Base, lane V>
struct rescaled {
  Base base;
  V scale;

  PREFOPT_INLINE value_slope<V> operator()(V const& z) const noexcept { return outer(base(V(scale * z))); }

  PREFOPT_INLINE both_signs<V> at_both_signs(V const& z) const noexcept {
    auto const both = detail::at_both_signs(base, V(scale * z));
    return {outer(both.plus), outer(both.minus)};
  }

  PREFOPT_INLINE value_slope<V> gap(V const& z) const noexcept { return outer(detail::gap(base, V(scale * z))); }

 private:
  PREFOPT_INLINE value_slope<V> outer(value_slope<V> const& at) const noexcept {
    return {at.value, V(scale * at.slope)};
  }
};

template <class Base, lane V>
rescaled(Base, V) -> rescaled<Base, V>;

}  // namespace prefopt::inline PREFOPT_ABI
