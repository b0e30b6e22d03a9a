#pragma once

#include <prefopt/link/link.hpp>
#include <prefopt/link/mixed.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// A link of a single completion that is good, or bad, or good with a probability: its label.
///     phi(z)  = desirable label base(z) + undesirable (1 - label) base(-z)
///     phi'(z) = desirable label base'(z) - undesirable (1 - label) base'(-z)
/// Labels without doubt, of all lanes, take the base once; the bits are the same.
template <class Base, lane V>
struct judged {
  Base base;
  V label;
  double desirable = 1, undesirable = 1;

  PREFOPT_INLINE value_slope<V> operator()(V const& z) const noexcept {
    V const zero = math::constant<V>(0), one = math::constant<V>(1);
    V const good = math::constant<V>(desirable), bad = math::constant<V>(undesirable);
    auto const is_bad = label == zero;
    if (math::all(is_bad | (label == one))) {
      value_slope<V> const at = base(V(math::select(is_bad, V(-z), z)));
      V const share = math::select(is_bad, V(-bad), good);
      return {V(math::abs(share) * at.value), V(share * at.slope)};
    }
    return mixed{base, V(good * label), V(bad * (one - label))}(z);
  }
};

template <class Base, lane V>
judged(Base, V) -> judged<Base, V>;
template <class Base, lane V>
judged(Base, V, double, double) -> judged<Base, V>;

}  // namespace prefopt::inline PREFOPT_ABI
