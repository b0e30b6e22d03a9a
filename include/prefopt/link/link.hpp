#pragma once

#include <concepts>
#include <prefopt/simd/lanes.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// A function's value and its derivative at one point.
template <lane V>
struct value_slope {
  V value, slope;

  PREFOPT_INLINE constexpr value_slope(V const& at_value, V const& at_slope) noexcept
      : value(math::copy(at_value)), slope(math::copy(at_slope)) {}
};

/// A link at z and at -z, each with its own derivative.
template <lane V>
struct both_signs {
  value_slope<V> plus, minus;
};

/// A link: the function of the logit z that makes a loss, with its slope. It falls where larger z is better.
template <class F, class V = double>
concept link = requires(F const f, V const z) {
  { f(z) } -> std::same_as<value_slope<V>>;
  requires noexcept(f(z));
};

namespace detail {

template <class Link, lane V>
PREFOPT_INLINE both_signs<V> at_both_signs(Link const& link, V const& z) noexcept {
  if constexpr (requires { link.at_both_signs(z); }) {
    return link.at_both_signs(z);
  } else {
    return {link(z), link(V(-z))};
  }
}

/// phi(-z) - phi(z) and its derivative: what a loss that is a likelihood calls the logit of its label.
template <class Link, lane V>
PREFOPT_INLINE value_slope<V> gap(Link const& link, V const& z) noexcept {
  if constexpr (requires { link.gap(z); }) {
    return link.gap(z);
  } else {
    auto const both = at_both_signs(link, z);
    return {V(both.minus.value - both.plus.value), V(-both.minus.slope - both.plus.slope)};
  }
}

}  // namespace detail
}  // namespace prefopt::inline PREFOPT_ABI
