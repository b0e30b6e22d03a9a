#pragma once

#include <array>
#include <bit>
#include <limits>
#include <prefopt/simd/lanes.hpp>
#include <utility>

namespace prefopt::inline PREFOPT_ABI {
namespace detail {

template <class T>
struct math_constants;

template <>
struct math_constants<float> {
  using bits = std::int32_t;
  static constexpr int mantissa_bits = 23;
  static constexpr float round_shift = 0x1.8p23f;
  static constexpr int exponent_bias = 127;
  // exp(x) is a normal number from here on.
  static constexpr float exp_lowest = -87.33654f;
  // And no number beyond it.
  static constexpr float exp_highest = 88.73f;
  static constexpr float ln2_high = 0.693115234375f, ln2_low = 3.194618329871446e-05f;
  // (exp(r) - 1 - r) / r^2 on |r| <= ln(2) / 2; relative error of exp(r) 7.6e-10.
  static constexpr std::array exp_tail{0.5f,
                                       0.1666666716337204f,
                                       0.041666463017463684f,
                                       0.00833331048488617f,
                                       0.0013933731243014336f,
                                       0.000198910798644647f};
  // (atanh(s) / s - 1) / s^2 on s^2 <= 1/9, in powers of s^2; relative error of atanh(s) 9.6e-10.
  static constexpr std::array atanh_tail{0.3333333432674408f, 0.19999852776527405f, 0.142961785197258f,
                                         0.1085328757762909f, 0.11612164974212646f};
  // (atan(r) / r - 1) / r^2 on r^2 <= tan(pi / 8)^2, in powers of r^2; relative error of atan(r) 6.6e-10.
  static constexpr std::array atan_tail{-0.33333316445350647f, 0.19998489320278168f, -0.1424383670091629f,
                                        0.10595913231372833f, -0.0608321838080883f};
};

template <>
struct math_constants<double> {
  using bits = std::int64_t;
  static constexpr int mantissa_bits = 52;
  static constexpr double round_shift = 0x1.8p52;
  static constexpr int exponent_bias = 1023;
  static constexpr double exp_lowest = -708.3964185322641;
  static constexpr double exp_highest = 709.79;
  static constexpr double ln2_high = 0.6931467056274414, ln2_low = 4.7493250390316726e-07;
  // Relative error of exp(r) 1.6e-17.
  static constexpr std::array exp_tail{0.5000000000000001,     0.16666666666666669,    0.041666666666623824,
                                       0.008333333333330039,   0.0013888888917367081,  0.00019841269863171557,
                                       2.4801521057868204e-05, 2.7557268276905696e-06, 2.7620201591031547e-07,
                                       2.5100472505694996e-08};
  // (atanh(s) / s - 1) / s^2 on s^2 <= 1/9, in powers of s^2; relative error of atanh(s) 7.1e-18.
  static constexpr std::array atanh_tail{
      0.3333333333333333,  0.20000000000007292, 0.1428571428355438,  0.11111111358713932, 0.09090894718066429,
      0.07692785032479312, 0.06657072104827468, 0.06000536404795356, 0.04400369243072337, 0.08082022805971766};
  // Relative error of atan(r) 1.2e-18.
  static constexpr std::array atan_tail{-0.333333333333332,   0.1999999999995404,   -0.1428571428024408,
                                        0.11111110785906114,  -0.0909089782952202,  0.07692061509630047,
                                        -0.06663118890166657, 0.058479977471797985, -0.050397939244185654,
                                        0.03807698026075241,  -0.017920780102977527};
};

/// c[0] + c[1] x + c[2] x^2 + …
template <batch V, class T, std::size_t N>
PREFOPT_INLINE V polynomial(V const& x, std::array<T, N> const& c) noexcept {
  // Of a loop of more than a few steps g++ -O2 would leave a loop.
  return [&]<std::size_t... K>(std::index_sequence<K...>) PREFOPT_INLINE_LAMBDA {
    V sum(c[N - 1]);
    ((sum = detail::fused(sum, x, V(c[N - 2 - K]))), ...);
    return sum;
  }
  (std::make_index_sequence<N - 1>{});
}

/// log(1 + x) for x in [-0.3, 1]: 2 atanh(s), s = x / (2 + x), written x - s (x - 2 s^2 q(s^2)) so that the rounding of
/// s is damped. m is x, or 0 where nothing but x would be left.
template <batch V>
PREFOPT_INLINE V log1p_of_fraction(V const& x, V const& m) noexcept {
  using T = typename V::value_type;
  V const s = detail::quotient(m, V(V(T(2)) + m));
  V const z = s * s;
  V const q = polynomial(z, math_constants<T>::atanh_tail);
  return fused_negated(s, fused_negated(z + z, q, m), x);
}

/// x = 2^exponent * mantissa, mantissa in [1, 2), of a positive normal number.
template <batch V>
struct binary_parts {
  V exponent, mantissa;
};

template <class T, class Arch>
PREFOPT_INLINE binary_parts<xsimd::batch<T, Arch>> split_binary(xsimd::batch<T, Arch> const& x) noexcept {
  using V = xsimd::batch<T, Arch>;
  using constants = math_constants<T>;
  using word = std::make_unsigned_t<typename constants::bits>;
  using words = xsimd::batch<word, Arch>;
  constexpr word one = std::bit_cast<word>(T(1)), mask = (word{1} << constants::mantissa_bits) - 1;
  // 2^mantissa_bits holds small integers in its low bits: the exponent without a conversion.
  constexpr T holder = static_cast<T>(word{1} << constants::mantissa_bits);
  words const bits = bits_as<word>(x);
  words const biased = (bits >> constants::mantissa_bits) | words(std::bit_cast<word>(holder));
  return {bits_as<T>(biased) - V(holder + static_cast<T>(one >> constants::mantissa_bits)),
          bits_as<T>((bits & words(mask)) | words(one))};
}

/// x = n ln 2 + r.
template <batch V>
struct reduced_argument {
  V shifted, n, r;

  PREFOPT_INLINE explicit reduced_argument(V const& x) noexcept {
    using T = typename V::value_type;
    using constants = math_constants<T>;
    // Adding and subtracting 1.5 * 2^mantissa_bits rounds to an integer n. With the bias added to it, too, the low bits
    // of the sum are the exponent of 2^n.
    constexpr T shift = constants::round_shift + static_cast<T>(constants::exponent_bias);
    shifted = fused(x, V(static_cast<T>(1.4426950408889634)), V(shift));
    n = shifted - V(shift);
    r = fused_negated(n, V(constants::ln2_low), fused_negated(n, V(constants::ln2_high), x));
  }

  /// 2^n.
  PREFOPT_INLINE V power() const noexcept {
    using T = typename V::value_type;
    using constants = math_constants<T>;
    return bits_as<T>(bits_as<typename constants::bits>(shifted) << constants::mantissa_bits);
  }

  /// exp(r) - 1, of which nothing cancels.
  PREFOPT_INLINE V rest() const noexcept {
    return fused(V(polynomial(r, math_constants<typename V::value_type>::exp_tail) * r), r, r);
  }
};

/// exp(x) = mantissa * 2^n. Far outside the range nothing of it is of use.
template <batch V>
struct reduced_exp : reduced_argument<V> {
  V mantissa;

  PREFOPT_INLINE explicit reduced_exp(V const& x) noexcept : reduced_argument<V>{x} {
    using T = typename V::value_type;
    V const one(T(1));
    mantissa = fused(fused(polynomial(this->r, math_constants<T>::exp_tail), this->r, one), this->r, one);
  }
};

/// exp(x) as mantissa * power, a power of two, for x <= 0; both are 0 for x < lowest, which is
/// math_constants::exp_lowest or higher.
template <batch V>
struct exp_parts {
  V mantissa, power;

  PREFOPT_INLINE exp_parts(V const& x, V const& lowest) noexcept {
    using T = typename V::value_type;
    reduced_exp<V> const reduced{x};
    V const scale = reduced.power();
    // Far below the range either of the two is meaningless, and may be no number. NaN compares false: it stays.
    auto const below = x < lowest;
    mantissa = xsimd::select(below, V(T(0)), reduced.mantissa);
    power = xsimd::select(below, V(T(0)), scale);
  }
};

template <batch V>
PREFOPT_INLINE V exp_of_negative(V const& x) noexcept {
  V const lowest(math_constants<typename V::value_type>::exp_lowest);
#if defined(__AVX512F__)
  if constexpr (std::is_base_of_v<xsimd::avx512f, typename V::arch_type>) {
    // The same product, by one instruction.
    reduced_exp<V> const reduced{x};
    if constexpr (sizeof(typename V::value_type) == 4) {
      return V(_mm512_maskz_scalef_ps(_mm512_cmp_ps_mask(x, lowest, _CMP_NLT_UQ), reduced.mantissa, reduced.n));
    } else {
      return V(_mm512_maskz_scalef_pd(_mm512_cmp_pd_mask(x, lowest, _CMP_NLT_UQ), reduced.mantissa, reduced.n));
    }
  }
#endif
  exp_parts<V> const parts{x, lowest};
  return parts.mantissa * parts.power;
}

}  // namespace detail

namespace math {

/// exp(x) for x <= 0, the only arguments that a loss produces.
///     lanes     float, double: largest error 1.3 ULP; other scalars: their own exp
///     special   exp(0) = 1; exp(-inf) = 0; NaN gives NaN
///     range     batches give 0 where exp(x) would be subnormal: x < -87.33654 (float), x < -708.39641853 (double)
inline constexpr struct {
  template <lane V>
  PREFOPT_INLINE V operator()(V const& x) const noexcept {
    if constexpr (detail::batch<V>) {
      return detail::exp_of_negative(x);
    } else {
      using std::exp;
      return exp(x);
    }
  }
} exp{};

/// log(1 + x) for x in [0, 1], without the cancellation in (1 + x) - 1.
///     lanes     float, double: largest error 1.4 ULP; other scalars: log(1 + x) or their own log1p
///     special   log1p(0) = 0; NaN gives NaN
inline constexpr struct {
  template <lane V>
  PREFOPT_INLINE V operator()(V const& x) const noexcept {
    if constexpr (detail::batch<V>) {
      using T = typename V::value_type;
      // Below half an ULP of 1 the result is x. Going on with 0 there keeps s^2 out of the subnormal numbers, each of
      // which costs the processor a hundred cycles.
      return detail::log1p_of_fraction(x, V(xsimd::select(x < V(std::numeric_limits<T>::epsilon() / 4), V(T(0)), x)));
    } else if constexpr (std::floating_point<V>) {
      return std::log1p(x);
    } else {
      using std::log;
      return log(V(V(1) + x));
    }
  }
} log1p{};

/// log(1 + x) for x in [0, inf].
///     lanes     float, double: largest error 1.9 ULP; other scalars: log(1 + x) or their own log1p
///     special   0 gives 0, +inf gives +inf; NaN gives NaN
inline constexpr struct {
  template <lane V>
  PREFOPT_INLINE V operator()(V const& x) const noexcept {
    if constexpr (detail::batch<V>) {
      using T = typename V::value_type;
      using constants = detail::math_constants<T>;
      V const zero(T(0)), one(T(1));
      auto const beyond = x > one;
      auto const parts = detail::split_binary(V(one + x));
      V const fraction = xsimd::select(beyond, parts.mantissa - one, x);
      V const exponent = xsimd::select(beyond, parts.exponent, zero);
      V const log = detail::fused(exponent, V(constants::ln2_high),
                                  detail::fused(exponent, V(constants::ln2_low), math::log1p(fraction)));
      return xsimd::select(x > V(std::numeric_limits<T>::max()), x, log);
    } else {
      return math::log1p(x);
    }
  }
} log1p_unbounded{};

/// log(x) for x >= 0.
///     lanes     float, double: largest error 1.4 ULP; other scalars: their own log
///     special   0, and what is below the smallest normal number, gives -inf; +inf gives +inf; x < 0 and NaN give NaN
inline constexpr struct {
  template <lane V>
  PREFOPT_INLINE V operator()(V const& x) const noexcept {
    if constexpr (detail::batch<V>) {
      using T = typename V::value_type;
      using constants = detail::math_constants<T>;
      constexpr T infinity = std::numeric_limits<T>::infinity(), nan = std::numeric_limits<T>::quiet_NaN();
      V const zero(T(0)), one(T(1)), half(T(0.5));
      auto const parts = detail::split_binary(x);
      // Around 1 the logarithm must come from the fraction alone.
      auto const upper = parts.mantissa > V(T(1.4142135623730951));
      V const fraction = xsimd::select(upper, parts.mantissa * half, parts.mantissa) - one;
      V const exponent = parts.exponent + xsimd::select(upper, one, zero);
      V const log =
          detail::fused(exponent, V(constants::ln2_high),
                        detail::fused(exponent, V(constants::ln2_low), detail::log1p_of_fraction(fraction, fraction)));
      V const of_finite = xsimd::select(x < V(std::numeric_limits<T>::min()), V(-infinity), log);
      V const of_any = xsimd::select(x > V(std::numeric_limits<T>::max()), x, of_finite);
      return xsimd::select(x >= zero, of_any, V(nan));
    } else {
      using std::log;
      return log(x);
    }
  }
} log{};

/// The distribution function of the standard normal, (1 + erf(x / sqrt(2))) / 2: absolute error below 1e-7 in float,
/// 4e-15 in double. NaN gives NaN.
inline constexpr struct {
  template <lane V>
  PREFOPT_INLINE V operator()(V const& x) const noexcept {
    // Beyond 40 nothing changes; xsimd's erf can take neither numbers far beyond nor NaN.
    V const far = constant<V>(40), number = math::select(x == x, x, constant<V>(0));
    V const upper = math::select(number > far, far, number);
    V const scaled = V(math::select(upper < V(-far), V(-far), upper) * constant<V>(0.70710678118654752));
    if constexpr (detail::batch<V>) {
      V const half = constant<V>(0.5);
      return math::select(x == x, V(detail::fused(half, xsimd::erf(scaled), half)), x);
    } else {
      using std::erf;
      return math::select(x == x, V(constant<V>(0.5) * erf(scaled) + constant<V>(0.5)), x);
    }
  }
} normal_cdf{};

/// log(1 + e^x), log(1 + e^-x), sigma(x) = 1 / (1 + e^-x) and sigma(-x), from one exp, one log1p and one division.
///     range     any x; finite for finite x, exact limits at +-inf; NaN gives NaN in all four
///     lanes     largest error, float and double: softplus 2.3 ULP, sigma 3 ULP; what would be below the smallest
///               normal number is 0
template <lane V>
struct logistic_parts {
  V softplus, softplus_negated, sigmoid, sigmoid_negated;
  V least_softplus;  ///< of the two
};

inline constexpr struct {
  template <lane V>
  PREFOPT_INLINE logistic_parts<V> operator()(V const& x) const noexcept {
    V const zero = constant<V>(0), one = constant<V>(1);
    V const e = math::exp(math::negated_abs(x));
    V const l = math::log1p(e);
    V const near = math::divide(one, V(one + e));
    V const far = e * near;
    auto const positive = x > zero;
    return {math::positive_part(x) + l, math::positive_part(V(-x)) + l, math::select(positive, near, far),
            math::select(positive, far, near), l};
  }
} logistic{};

/// min(x, most) and max(x, least); NaN stays NaN.
inline constexpr struct {
  template <lane V>
  PREFOPT_INLINE constexpr V operator()(V const& x, V const& most) const noexcept {
#if defined(__SSE2__)
    if constexpr (detail::batch<V>) return detail::minimum_or_second(most, x);
#endif
    return math::select(x > most, most, x);
  }
} at_most{};
inline constexpr struct {
  template <lane V>
  PREFOPT_INLINE constexpr V operator()(V const& x, V const& least) const noexcept {
#if defined(__SSE2__)
    if constexpr (detail::batch<V>) return detail::maximum_or_second(least, x);
#endif
    return math::select(x < least, least, x);
  }
} at_least{};

/// x in [low, high]; NaN stays NaN.
inline constexpr struct {
  template <lane V>
  PREFOPT_INLINE V operator()(V const& x, V const& low, V const& high) const noexcept {
    return math::at_least(math::at_most(x, high), low);
  }
} limited{};

/// exp(x) for any x.
///     lanes     float, double: largest error 1.3 ULP; other scalars: their own exp
///     special   exp(0) = 1; exp(-inf) = 0, exp(+inf) = +inf; NaN gives NaN
///     range     batches give 0 where exp(x) would be subnormal, as exp does; +inf where it would be beyond the largest
///               number
inline constexpr struct {
  template <lane V>
  PREFOPT_INLINE V operator()(V const& x) const noexcept {
    if constexpr (detail::batch<V>) {
      using T = typename V::value_type;
      using constants = detail::math_constants<T>;
      using bits = typename constants::bits;
      // There exp(x) is no number, and 2^n is one or has the bits of infinity.
      V const near = math::at_most(x, V(constants::exp_highest));
#if defined(__AVX512F__)
      if constexpr (std::is_base_of_v<xsimd::avx512f, typename V::arch_type>) {
        return detail::exp_of_negative(near);
      }
#endif
      detail::exp_parts<V> const parts{near, V(constants::exp_lowest)};
      // Half the power is a number where the power is not.
      auto const one_less = xsimd::batch<bits, typename V::arch_type>(bits{1} << constants::mantissa_bits);
      V const half_power = detail::bits_as<T>(detail::bits_as<bits>(parts.power) - one_less);
      V const half = parts.mantissa * half_power;
      return xsimd::select(x > V(T(0)), V(half + half), V(parts.mantissa * parts.power));
    } else {
      return math::exp(x);
    }
  }
} exp_of_any{};

/// exp(x) - 1 for x <= 0, without the cancellation.
///     lanes     float, double: largest error 1.3 ULP; other scalars: exp(x) - 1 or their own expm1
///     special   expm1(0) = 0; expm1(-inf) = -1; NaN gives NaN
inline constexpr struct {
  template <lane V>
  PREFOPT_INLINE V operator()(V const& x) const noexcept {
    if constexpr (detail::batch<V>) {
      using T = typename V::value_type;
      // Below it nothing is left beside the 1.
      V const lowest(T(-40)), one(T(1)), near = xsimd::select(x < lowest, lowest, x);
      detail::reduced_argument<V> const reduced{near};
      V const power = reduced.power();
      return detail::fused(power, reduced.rest(), V(power - one));
    } else if constexpr (std::floating_point<V>) {
      return std::expm1(x);
    } else {
      using std::exp;
      return V(exp(x) - V(1));
    }
  }
} expm1{};

/// exp(x) - 1 and exp(x) - 1 - x for any x, without the cancellation.
///     lanes     float, double: largest error 2.5 ULP of the first, 10 ULP of the second; of other scalars: by their own
///               expm1, the second not without cancellation
///     special   0 gives 0; -inf gives -1 and +inf, +inf gives +inf; NaN gives NaN
template <lane V>
struct expm1_parts {
  V value, beyond_linear;
};
inline constexpr struct {
  template <lane V>
  PREFOPT_INLINE expm1_parts<V> operator()(V const& x) const noexcept {
    if constexpr (detail::batch<V>) {
      using T = typename V::value_type;
      using constants = detail::math_constants<T>;
      V const half(T(0.5)), upper = math::at_most(x, V(constants::exp_highest));
      detail::reduced_argument<V> const reduced{math::at_least(upper, V(T(-40)))};
      // Half of 2^n is a number where 2^n is not.
      using bits = typename constants::bits;
      auto const one_less = xsimd::batch<bits, typename V::arch_type>(bits{1} << constants::mantissa_bits);
      V const half_power = detail::bits_as<T>(detail::bits_as<bits>(reduced.power()) - one_less);
      V const tail = detail::polynomial(reduced.r, constants::exp_tail) * reduced.r;
      V const halved = detail::fused(half_power, reduced.rest(), V(half_power - half));
      V const value = halved + halved;
      // -inf has no exponential to be told from, and +inf must not meet another one.
      V const apart = value - upper;
      return {value, V(xsimd::select(reduced.n == V(T(0)), V(tail * reduced.r), apart))};
    } else {
      V const value = math::expm1(x);
      return {value, V(value - x)};
    }
  }
} expm1_with_rest{};

/// tanh(x) and its slope 1 - tanh(x)^2, from one exp and one division.
///     range     any x; +-1 and 0 at +-inf; NaN gives NaN in both
///     lanes     largest error, float and double: tanh 3.3 ULP, slope 4.8 ULP; a slope below four times the smallest
///               normal number is 0
template <lane V>
struct tanh_parts {
  V tanh, slope;
};

inline constexpr struct {
  template <lane V>
  PREFOPT_INLINE tanh_parts<V> operator()(V const& x) const noexcept {
    V const one = constant<V>(1);
    if constexpr (detail::batch<V>) {
      using T = typename V::value_type;
      // e = exp(-2 |x|), and e - 1 without the cancellation, as in expm1.
      V const z = V(T(2)) * math::negated_abs(x), lowest(detail::math_constants<T>::exp_lowest);
      auto const below = z < lowest;
      detail::reduced_argument<V> const reduced{V(xsimd::select(below, lowest, z))};
      V const power = reduced.power(), rest = reduced.rest();
      V const less = detail::fused(power, rest, V(power - one)), e = detail::fused(power, rest, power);
      V const inverse = detail::quotient(one, V(one + e));
      V const sign = x & V(T(-0.0)), twice = V(T(2)) * inverse;
      return {V((-less * inverse) | sign), V(xsimd::select(below, V(T(0)), V(e * (twice * twice))))};
    } else {
      using std::exp;
      V const e = exp(V(V(-2) * math::abs(x))), inverse = one / V(one + e);
      V const size = -math::expm1(V(V(-2) * math::abs(x))) * inverse;
      return {x < V(0) ? V(-size) : size, V(V(4) * e * inverse * inverse)};
    }
  }
} tanh{};

/// x, or NaN where one of the others is NaN.
inline constexpr struct {
  template <lane V, std::same_as<V>... Others>
  PREFOPT_INLINE V operator()(V const& x, Others const&... others) const noexcept {
    V result = x;
    ((result = math::select(others == others, result, others)), ...);
    return result;
  }
} or_nan_of{};

/// atan(x) for x in [0, 1].
///     lanes     float, double: largest error 1.9 ULP; other scalars: their own atan2(x, 1)
///     special   arctangent(0) = 0; NaN gives NaN
inline constexpr struct {
  template <lane V>
  PREFOPT_INLINE V operator()(V const& x) const noexcept {
    if constexpr (detail::batch<V>) {
      using T = typename V::value_type;
      V const zero(T(0)), one(T(1));
      // atan(x) = pi / 4 + atan((x - 1) / (x + 1)); what pi / 4 is rounded by is not lost.
      auto const upper = x > V(T(0.41421356237309503));
      constexpr T quarter = static_cast<T>(0.78539816339744831);
      constexpr T rounded = sizeof(T) == 4 ? static_cast<T>(-2.1855694e-08) : static_cast<T>(3.061616997868383e-17);
      V const r = xsimd::select(upper, detail::quotient(V(x - one), V(x + one)), x), square = r * r;
      V const tail = square * detail::polynomial(square, detail::math_constants<T>::atan_tail);
      V const near = detail::fused(r, tail, xsimd::select(upper, V(rounded), zero)) + r;
      return xsimd::select(upper, V(quarter), zero) + near;
    } else {
      using std::atan2;
      return atan2(x, V(1));
    }
  }
} arctangent{};

/// factor * x; 0 where the factor is, whatever x.
inline constexpr struct {
  template <lane V>
  PREFOPT_INLINE V operator()(V const& factor, V const& x) const noexcept {
    V const zero = constant<V>(0);
    return math::select(factor == zero, zero, V(factor * x));
  }
} vanishing{};

/// x + y, of which x grows faster: where x is infinite, x, whatever infinity y is.
inline constexpr struct {
  template <lane V>
  PREFOPT_INLINE V operator()(V const& x, V const& y) const noexcept {
    V const most = constant<V>(std::numeric_limits<double>::infinity());
    return math::select((math::abs(x) == most) & (y == y), x, V(x + y));
  }
} dominated_sum{};

/// 1 where the condition holds, else 0.
template <lane V, class Condition>
PREFOPT_INLINE V indicator(Condition const& condition) noexcept {
  return math::select(condition, constant<V>(1), constant<V>(0));
}

}  // namespace math
}  // namespace prefopt::inline PREFOPT_ABI
