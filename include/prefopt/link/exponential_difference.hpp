#pragma once

#include <prefopt/simd/math.hpp>

namespace prefopt::inline PREFOPT_ABI::detail {

/// A function of a and b, with its derivatives.
template <lane V>
struct exponential_difference {
  V value, by_a, by_b;
};

/// f(a) - f(b), which is 0 for a = b, but NaN where both are infinite: then 0, too.
template <lane V>
PREFOPT_INLINE V zero_if_equal(V const& a, V const& b, V const& difference) noexcept {
  V const same = math::select(difference == difference, difference, math::constant<V>(0));
  return math::select(a == b, same, difference);
}

/// (e^(rate a) - e^(rate b)) / rate, rate != 0: the larger exponential times one expm1 of the difference.
///     slopes    e^(rate a) and -e^(rate b)
///     special   0 for a = b, exactly, also where both exponentials are infinite; finite or +-inf for a != b
/// Nothing cancels: for a next to b the value is (a - b) e^(rate a), whatever is left of a - b.
template <lane V>
PREFOPT_INLINE exponential_difference<V> difference_of_exponentials(double rate, V const& a, V const& b) noexcept {
  V const zero = math::constant<V>(0), scale = math::constant<V>(rate);
  V const exp_a = math::exp_of_any(V(scale * a)), exp_b = math::exp_of_any(V(scale * b));
  V const apart = scale * (a - b);
  // The sign of the value lies in the inverse of the rate, which is rounded as lanes are: the slopes are the value's.
  V const lack = math::expm1(V(-math::abs(apart))) * math::divide(math::constant<V>(1), scale);
  V const value = math::select(apart < zero, V(exp_b * lack), V(-(exp_a * lack)));
  return {zero_if_equal(a, b, value), exp_a, V(-exp_b)};
}

/// slope * factor: a slope that has come to 0 leaves nothing of the factor, not even of an infinite one.
template <lane V>
PREFOPT_INLINE V damped(V const& slope, V const& factor) noexcept {
  V const zero = math::constant<V>(0);
  return math::select(slope == zero, zero, V(slope * factor));
}

}  // namespace prefopt::inline PREFOPT_ABI::detail
