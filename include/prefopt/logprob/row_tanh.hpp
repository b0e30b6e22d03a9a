#pragma once

#include <array>
#include <cstddef>
#include <prefopt/logprob/row_exp.hpp>
#include <prefopt/simd/math.hpp>

namespace prefopt::inline PREFOPT_ABI::detail {

/// tanh(inner x) as x p(x^2) where |inner x| is at most 1/2. The powers of inner are in the coefficients.
///     lanes     float, 3.3 ULP of tanh with the roundings of inner; of double none is small
template <batch V>
class small_tanh {
 public:
  using T = typename V::value_type;

  explicit small_tanh(double inner) noexcept : most_(T(-1)) {
    in_powers_.fill(V(T(0)));
    // Of a factor far from 1 the powers are no floats.
    if (!std::same_as<T, float> || inner < 1e-3 || inner > 1e3) return;
    double power = inner;
    for (std::size_t k = 0; k < coefficients.size(); ++k, power *= inner * inner) {
      in_powers_[k] = V(static_cast<T>(coefficients[k] * power));
    }
    most_ = V(static_cast<T>(0.25 / (inner * inner)));
  }

  PREFOPT_INLINE V operator()(V const& x, V const& square) const noexcept {
    V sum = in_powers_.back();
    for (std::size_t k = coefficients.size() - 1; k-- > 0;) sum = fused(sum, square, in_powers_[k]);
    return sum * x;
  }
  /// Where that is so. NaN is not small.
  PREFOPT_INLINE auto is_small(V const& square) const noexcept { return square <= most_; }

 private:
  // tanh(z) / z in powers of z^2; relative error of tanh(z) 1.5e-8.
  static constexpr std::array coefficients{1.0, -0.333331438892, 0.13325878819, -0.0530454858867, 0.0172414755432};

  std::array<V, coefficients.size()> in_powers_;
  V most_;
};

/// Of arguments that are not small. The product inner x is rounded besides.
///     lanes     3.3 ULP of tanh
template <batch V, bool = has_lane_table<V>>
class large_tanh {
 public:
  explicit large_tanh(double inner) noexcept : inner_(static_cast<typename V::value_type>(inner)) {}

  template <std::size_t N>
  PREFOPT_INLINE std::array<V, N> of_each(std::array<V, N> const& x) const noexcept {
    std::array<V, N> result;
    for (std::size_t k = 0; k < N; ++k) result[k] = math::tanh(V(x[k] * inner_)).tanh;
    return result;
  }

 private:
  V inner_;
};

#if defined(__AVX512F__) && defined(__AVX512DQ__)
/// A polynomial in each of 32 segments, its coefficients looked up. Segments grow with |z|: z + 5/8 without its last 20
/// bits is their lower end, and the five bits before those their number.
template <batch V>
class large_tanh<V, true> {
 public:
  explicit large_tanh(double inner) noexcept : inner_{_mm512_set1_ps(static_cast<float>(inner))} {
    for (std::size_t k = 0; k < degree + 1; ++k) {
      low_[k] = _mm512_loadu_ps(coefficients[k]);
      high_[k] = _mm512_loadu_ps(coefficients[k] + 16);
    }
  }

  /// Step by step of all, as row_exp does it.
  template <std::size_t N>
  PREFOPT_INLINE std::array<V, N> of_each(std::array<V, N> const& x) const noexcept {
    // Beyond the last segment tanh is 1.
    __m512 const first = _mm512_set1_ps(0.625f), last = _mm512_set1_ps(9.3f);
    __m512 product[N], z[N], end[N], sum[N];
    __m512i number[N];
    std::array<V, N> result;
    for (std::size_t k = 0; k < N; ++k) product[k] = _mm512_mul_ps(x[k], inner_);
    for (std::size_t k = 0; k < N; ++k) z[k] = _mm512_min_ps(_mm512_abs_ps(product[k]), last);
    for (std::size_t k = 0; k < N; ++k) end[k] = _mm512_add_ps(z[k], first);
    for (std::size_t k = 0; k < N; ++k) number[k] = _mm512_srli_epi32(_mm512_castps_si512(end[k]), 20);
    for (std::size_t k = 0; k < N; ++k) {
      __m512i const cut = _mm512_and_si512(_mm512_castps_si512(end[k]), _mm512_set1_epi32(~0xfffff));
      z[k] = _mm512_sub_ps(z[k], _mm512_sub_ps(_mm512_castsi512_ps(cut), first));
    }
    for (std::size_t k = 0; k < N; ++k) sum[k] = _mm512_permutex2var_ps(low_[degree], number[k], high_[degree]);
    for (std::size_t power = degree; power-- > 0;) {
      for (std::size_t k = 0; k < N; ++k) {
        sum[k] = _mm512_fmadd_ps(sum[k], z[k], _mm512_permutex2var_ps(low_[power], number[k], high_[power]));
      }
    }
    for (std::size_t k = 0; k < N; ++k) {
      // The sign of the product, the rest of the sum.
      constexpr int first_bits_of_mask = 0xca;
      result[k] =
          V(_mm512_castsi512_ps(_mm512_ternarylogic_epi32(_mm512_set1_epi32(0x7fffffff), _mm512_castps_si512(sum[k]),
                                                          _mm512_castps_si512(product[k]), first_bits_of_mask)));
    }
    return result;
  }

 private:
  static constexpr std::size_t degree = 4;
  // In the distance from the lower end. Relative error of tanh, with the rounding of the first, 4e-8.
  static constexpr float coefficients[degree + 1][32] = {
      {0.879826725f, 0.925346196f, 0.954045236f, 0.971872747f,  0.982845008f, 0.98955977f,  0.993654609f, 0.99614656f,
       0.997660995f, 0.999138892f, 0.999683142f, 0.999883413f,  0.999957085f, 0.999984205f, 0.999994218f, 0.999997854f,
       0.999999225f, 0.999999881f, 0.0f,         0.0624187477f, 0.124352999f, 0.185333207f, 0.244918659f, 0.302709728f,
       0.3583574f,   0.462117165f, 0.554599702f, 0.635148942f,  0.703905582f, 0.761594176f, 0.809301078f, 0.848283648f},
      {0.2259029f,     0.143737078f,    0.0897990242f,  0.0554622076f,   0.0340173393f,   0.0207684524f,
       0.0126533248f,  0.00768828113f,  0.00467042392f, 0.00172067794f,  0.000632572104f, 0.000233307102f,
       8.7333603e-05f, 3.25868932e-05f, 1.0173294e-05f, 4.91511037e-06f, 1.23139512e-06f, 6.13627662e-07f,
       1.0f,           0.996103287f,    0.984537721f,   0.965647638f,    0.940016389f,    0.908367217f,
       0.871579647f,   0.786446393f,    0.692425072f,   0.596589088f,    0.504523098f,    0.419969857f,
       0.345030189f,   0.280412972f},
      {-0.198739529f,    -0.133038223f,    -0.0856694877f,  -0.0538593419f,   -0.0334476046f,   -0.0204824861f,
       -0.0126192383f,   -0.00758205075f,  -0.0046239947f,  -0.00170587737f,  -0.000620144361f, -0.000233638391f,
       -0.000100851023f, -4.16494913e-05f, 2.70204487e-06f, -1.06511507e-05f, 1.54209076e-07f,  -2.19868775e-06f,
       5.9438089e-06f,   -0.0621095188f,   -0.122538842f,   -0.178631365f,    -0.230348706f,    -0.275001585f,
       -0.312324584f,    -0.363406599f,    -0.38429755f,    -0.379094929f,    -0.355419606f,    -0.319700867f,
       -0.279191375f,    -0.237806544f},
      {0.0997691005f,   0.0751888901f,   0.0514870919f,    0.0333668478f,   0.0214225072f,    0.0128237233f,
       0.008500956f,    0.00450238725f,  0.00286587491f,   0.00105947151f,  0.000363723346f,  0.000151158281f,
       0.000103094171f, 5.24289171e-05f, -3.81952013e-05f, 2.30875448e-05f, -1.82349538e-06f, 3.29252271e-06f,
       -0.333910942f,   -0.330417514f,   -0.310505122f,    -0.297850817f,   -0.254043639f,    -0.218918562f,
       -0.178802565f,   -0.0939165577f,  -0.0132461796f,   0.045043081f,    0.0863790885f,    0.102360077f,
       0.110863909f,    0.107734315f},
      {-0.0240309034f,   -0.0243636593f,   -0.0185374971f,   -0.0123971086f,   -0.00866957381f,  -0.00446551386f,
       -0.00398297422f,  -0.00104815699f,  -0.000953281997f, -0.000353225769f, -0.000102815793f, -5.51339836e-05f,
       -6.76511772e-05f, -3.93595947e-05f, 4.28857093e-05f,  -2.12860359e-05f, 1.1166394e-06f,   -1.61491334e-06f,
       0.01596497f,      0.0711640492f,    0.0696331561f,    0.195557818f,     0.122107022f,     0.156560495f,
       0.170384988f,     0.157389089f,     0.109012589f,     0.0753659084f,    0.0323056914f,    0.0249273777f,
       -0.00151700445f,  -0.0133203901f}};

  __m512 inner_, low_[degree + 1], high_[degree + 1];
};
#endif

/// tanh(inner x), but x where that is infinite; NaN stays. It depends on x alone how it is computed.
///     lanes     largest error 3.3 ULP of tanh, of float with a table 1.4
template <batch V>
class row_tanh {
 public:
  explicit row_tanh(double inner) noexcept : small_{inner}, large_{inner} {}

  PREFOPT_INLINE V operator()(V const& x) const noexcept {
    std::array<V, 1> one;
    one[0] = x;
    V highest_square(typename V::value_type(0));
    return of_each(one, highest_square)[0];
  }

  /// Raises highest_square, too, of which are_small() says whether all have been small.
  template <std::size_t N>
  PREFOPT_INLINE std::array<V, N> of_each(std::array<V, N> const& x, V& highest_square) const noexcept {
    V highest(typename V::value_type(0));
    std::array<V, N> result = of_small(x, highest);
    highest_square = math::at_least(highest_square, highest);
    if (are_small(highest)) return result;
    std::array<V, N> const large = large_.of_each(x);
    for (std::size_t k = 0; k < N; ++k) {
      V const of_any = xsimd::select(is_not_finite(x[k]), x[k], large[k]);
      result[k] = xsimd::select(small_.is_small(V(x[k] * x[k])), result[k], of_any);
    }
    return result;
  }

  /// The same, of use if all are small.
  template <std::size_t N>
  PREFOPT_INLINE std::array<V, N> of_small(std::array<V, N> const& x, V& highest_square) const noexcept {
    std::array<V, N> square, result;
    for (std::size_t k = 0; k < N; ++k) square[k] = x[k] * x[k];
    for (std::size_t k = 0; k < N; ++k) result[k] = small_(x[k], square[k]);
    for (std::size_t k = 0; k < N; ++k) highest_square = math::at_least(highest_square, square[k]);
    return result;
  }
  [[nodiscard]] bool are_small(V const& highest_square) const noexcept {
    return xsimd::all(small_.is_small(highest_square));
  }

 private:
  small_tanh<V> small_;
  large_tanh<V> large_;
};

}  // namespace prefopt::inline PREFOPT_ABI::detail
