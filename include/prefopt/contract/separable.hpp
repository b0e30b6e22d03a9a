#pragma once

#include <prefopt/contract/pair_loss.hpp>
#include <prefopt/simd/math.hpp>

namespace prefopt::inline PREFOPT_ABI::detail {

/// A pair loss that is a function of the chosen score a and one of the rejected score b: L = f(a) + g(b). A pair that
/// has a NaN has it in both slopes, as those of other losses do.
template <lane V>
PREFOPT_INLINE pair_value<V> separable(V const& a, V const& b, value_slope<V> const& chosen,
                                       value_slope<V> const& rejected) noexcept {
  return {V(chosen.value + rejected.value), math::or_nan_of(chosen.slope, b), math::or_nan_of(rejected.slope, a)};
}

}  // namespace prefopt::inline PREFOPT_ABI::detail
