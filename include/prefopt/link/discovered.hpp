#pragma once

#include <prefopt/link/link.hpp>
#include <prefopt/simd/math.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// The link of DiscoPOP, log-ratio modulated: found by a program that was asked for losses.
///     phi(z)  = n log(1 + e^-z) + m e^-z,  n = sigma(-z / tau), m = sigma(z / tau)
///     phi'(z) = -n sigma(-z) - m n log(1 + e^-z) / tau + m e^-z (n / tau - 1)
///     special   phi(0) = (log 2 + 1) / 2 for every tau; phi(+inf) = 0, phi(-inf) = +inf, for tau < 1 with slope -1;
///               NaN gives NaN
/// Not monotone where tau < 0.1023: at tau = 0.05 it rises between z = -0.119 and z = 0.072. For tau > 1 it grows as
/// e^(|z| (1 - 1 / tau)) to the left.
struct discovered {
  double tau = 0.05;  ///< > 0

  template <lane V>
  PREFOPT_INLINE value_slope<V> operator()(V const& z) const noexcept {
    V const zero = math::constant<V>(0), inverse = math::constant<V>(1 / tau);
    // m e^-z = e^-z / (1 + e^(-z / tau)), and left of 0 the larger of the two exponentials taken out of both.
    V const growth = math::constant<V>((tau - 1) / tau);
    V const left = tau == 1 ? zero : V(V(-growth) * z);
    auto const is_left = z < zero;
    auto const at = math::logistic(z), gate = math::logistic(V(z * inverse));
    V const near = math::select(is_left, gate.sigmoid_negated, gate.sigmoid);
    V const exponential = near * math::exp_of_any(V(math::select(is_left, left, V(-z))));
    V const shrinks = gate.sigmoid_negated * inverse - math::constant<V>(1);
    // Left of 0, n / tau - 1 is the difference of two numbers that may be close: n is 1 - m.
    V const grows = V(-growth) - gate.sigmoid * inverse;
    V const mixing = gate.sigmoid * gate.sigmoid_negated;
    V const moved = math::select(mixing == zero, zero, V(V(mixing * at.softplus_negated) * inverse));
    return {V(gate.sigmoid_negated * at.softplus_negated + exponential),
            V(V(exponential * math::select(is_left, grows, shrinks)) -
              V(gate.sigmoid_negated * at.sigmoid_negated + moved))};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
