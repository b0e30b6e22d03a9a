#pragma once

#include <prefopt/link/link.hpp>
#include <prefopt/simd/math.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// Logistic link that turns to the pairs that are ranked right, the loss of FocalPO.
///     phi(z)  = sigma(z)^gamma log(1 + e^-z)
///     phi'(z) = sigma(z)^gamma sigma(-z) (gamma log(1 + e^-z) - 1)
///     special   gamma = 0 is logistic; else phi(+-inf) = 0 with slope 0; NaN gives NaN
///     lanes     largest error, float and double: value 3 + 1.5 gamma max(0, -z) ULP; the slope, which changes its sign,
///               loses what cancels in gamma log(1 + e^-z) - 1
/// Hard pairs are given up: from z = -1 / gamma or so to the left the slope is positive.
struct focused_on_right {
  double gamma = 0.05;  ///< >= 0

  template <lane V>
  PREFOPT_INLINE value_slope<V> operator()(V const& z) const noexcept {
    V const zero = math::constant<V>(0), one = math::constant<V>(1);
    auto const parts = math::logistic(z);
    V const weighted = gamma == 0 ? zero : V(math::constant<V>(gamma) * parts.softplus_negated);
    // The factor in two, so that it does not underflow before its product with what is large does.
    V const root = math::exp(V(math::constant<V>(-0.5) * weighted));
    auto const is_nothing = root == zero;
    V const value = V(root * parts.softplus_negated) * root;
    V const slope = V(V(root * parts.sigmoid_negated) * V(weighted - one)) * root;
    return {V(math::select(is_nothing, zero, value)), V(math::select(is_nothing, zero, slope))};
  }
};

/// Logistic link that turns to the pairs that are ranked wrong, or barely right, the loss of InternLM2's reward model.
///     phi(z)  = w log(1 + e^-z),  w = 1 for z <= 0, else (2 sigma(-z))^gamma
///     phi'(z) = -sigma(-z) for z <= 0, else -w (gamma sigma(z) log(1 + e^-z) + sigma(-z)): a kink at 0
///     special   phi(0) = log 2, slope -1/2; phi(+inf) = 0, phi(-inf) = +inf; NaN gives NaN
///     lanes     largest error, float and double: value and slope 3 + 1.5 gamma max(0, z) ULP
struct focused_on_wrong {
  double gamma = 2;  ///< >= 0; 0 is logistic

  template <lane V>
  PREFOPT_INLINE value_slope<V> operator()(V const& z) const noexcept {
    V const zero = math::constant<V>(0), one = math::constant<V>(1);
    auto const parts = math::logistic(z);
    auto const is_right = z > zero;
    V const power = math::constant<V>(gamma);
    V const exponent = gamma == 0 ? zero : V(power * V(math::log1p(one) - parts.softplus));
    V const weight = math::exp(V(math::select(is_right, exponent, zero)));
    V const bend = math::select(is_right, V(power * V(parts.sigmoid * parts.softplus_negated)), zero);
    return {V(weight * parts.softplus_negated), V(V(-weight) * V(bend + parts.sigmoid_negated))};
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
