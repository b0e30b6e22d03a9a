#pragma once

#include <prefopt/link/link.hpp>
#include <prefopt/simd/math.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// Cauchy link: the probability of a preference is the distribution function of the Cauchy distribution.
///     phi(z)  = -log P,  P = 1/2 + atan(z) / pi
///     phi'(z) = -1 / (pi (1 + z^2) P)
///     special   phi(0) = log 2; phi(+inf) = 0, as 1 / (pi z); phi(-inf) = +inf, only as log(pi |z|), slope 0 at both;
///               NaN gives NaN
///     lanes     largest error, float and double: value 4.1 ULP, slope 5.7 ULP; |z| >= 2^127 (2^1023) is as infinity, and a
///               slope below eight times the smallest normal number may be 0
/// An outlier costs little: the slope falls as 1 / |z| on the wrong side.
struct cauchy {
  template <lane V>
  PREFOPT_INLINE value_slope<V> operator()(V const& z) const noexcept {
    V const zero = math::constant<V>(0), one = math::constant<V>(1), pi = math::constant<V>(3.1415926535897932);
    V const half_pi = math::constant<V>(1.5707963267948966);
    V const size = math::abs(z), inverse = math::divide(one, size);
    auto const is_far = size > one;
    V const small = math::select(is_far, inverse, size);
    V const angle = math::arctangent(small);
    // pi P(-|z|) and pi P(|z|).
    V const tail = math::select(is_far, angle, V(half_pi - angle)), rest = pi - tail;
    auto const is_right = z >= zero;
    V const odds = math::divide(V(math::select(is_right, tail, rest)), V(math::select(is_right, rest, tail)));
    V const density = math::divide(one, V(one + small * small));
    V const given = math::divide(V(math::select(is_far, small, one)), V(math::select(is_right, rest, tail)));
    // 1 / (1 + z^2) is density * small^2 where |z| > 1: z^2 may be no number.
    V const slope = V(-V(density * math::select(is_far, small, one)) * given);
    return {math::log1p_unbounded(odds), V(math::select(is_far & (small == zero), zero, slope))};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
