#pragma once

#include <prefopt/link/link.hpp>
#include <prefopt/simd/math.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// Logistic likelihood of labels that are read wrong at known rates.
///     phi(z)  = -log(a sigma(z) + b sigma(-z)),  a, b = 1 - rho1, rho0 for the label 1, rho1, 1 - rho0 for the label 0
///     phi'(z) = -(a - b) sigma(z) sigma(-z) / (a sigma(z) + b sigma(-z))
///     special   label 1: phi(+inf) = -log(1 - rho1), phi(-inf) = -log rho0, slope 0 at both unless a rate is 0; the
///               label 0 is the mirror; rho0 = rho1 = 0 is logistic; a NaN of z or of the label gives NaN
///     lanes     largest error, float and double, beside what the rates' own roundings make: value 3.4 ULP, slope 5.1 ULP
/// An outlier costs at most -log rho. Nothing cancels.
template <lane V>
struct misread {
  V label;            ///< 1 or 0
  double rho0, rho1;  ///< how often a 0 is read as 1, and a 1 as 0; their sum is below 1

  PREFOPT_INLINE value_slope<V> operator()(V const& logit) const noexcept {
    V const z = logit + (label - label);  // a NaN of the label, in all that follows
    V const zero = math::constant<V>(0), one = math::constant<V>(1);
    V const flips0 = math::constant<V>(rho0), flips1 = math::constant<V>(rho1);
    V const keeps0 = rest_of(rho0), keeps1 = rest_of(rho1), keeps = rest_of(rho0, rho1);
    // a and b, and what they lack to 1.
    auto const is_zero = label == zero;
    V const a = math::select(is_zero, flips1, keeps1), lacks_a = math::select(is_zero, keeps1, flips1);
    V const b = math::select(is_zero, keeps0, flips0), lacks_b = math::select(is_zero, flips0, keeps0);
    V const lean = math::select(is_zero, V(-keeps), keeps);
    auto const is_right = z >= zero;
    V const lead = math::select(is_right, a, b), other = math::select(is_right, b, a);
    V const lacks_lead = math::select(is_right, lacks_a, lacks_b),
            lacks_other = math::select(is_right, lacks_b, lacks_a);
    V const size = math::abs(z), e = math::exp(V(-size));
    // Where the leading term has no share, e is a factor of the other: taken out, it cannot underflow.
    auto const is_alone = lead == zero;
    V const share = math::select(is_alone, other, V(lead + other * e));
    V const lacks = math::select(is_alone, V(lacks_other + e), V(lacks_lead + lacks_other * e));
    V const value = math::log1p_unbounded(math::divide(lacks, share)) + math::select(is_alone, size, zero);
    V const slope = math::divide(V(V(-lean) * math::select(is_alone, one, e)), V(V(one + e) * share));
    return {value, slope};
  }

 private:
  // 1 less rates, of which narrow lanes would lose digits; a scalar may have more than a double.
  PREFOPT_INLINE static V rest_of(double rate, double other = 0) noexcept {
    if constexpr (detail::batch<V>) {
      return math::constant<V>((1 - rate) - other);
    } else {
      return V(V(math::constant<V>(1) - math::constant<V>(rate)) - math::constant<V>(other));
    }
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
