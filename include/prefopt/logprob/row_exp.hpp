#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <prefopt/simd/math.hpp>
#include <type_traits>

namespace prefopt::inline PREFOPT_ABI::detail {

/// Whether 16 numbers can be looked up by lane: then a polynomial of degree 3 is enough for exp.
template <batch V>
inline constexpr bool has_lane_table =
#if defined(__AVX512F__) && defined(__AVX512DQ__)
    std::same_as<typename V::value_type, float>&& std::is_base_of_v<xsimd::avx512f, typename V::arch_type>;
#else
    false;
#endif

/// exp(t), t = factor off, for rows of logits: 0 for t < lowest, which is math_constants::exp_lowest or higher; NaN stays.
///     range     t <= 80
///     lanes     largest error: float 1.1 ULP and a twentieth of a rounding of t, with a table and a factor 1.1 ULP and
///               a rounding of t; double 1.3 ULP. The product factor off is rounded besides where there is no table
template <batch V, bool IsScaled, bool = has_lane_table<V>>
class row_exp {
 public:
  using T = typename V::value_type;

  row_exp(double factor, T lowest) noexcept : factor_(static_cast<T>(factor)), lowest_(lowest) {}

  /// exp(t), not yet multiplied, so that adding it up takes one operation.
  struct power {
    V mantissa, scale;

    PREFOPT_INLINE V value() const noexcept { return mantissa * scale; }
    PREFOPT_INLINE V added_to(V const& sum) const noexcept { return fused(mantissa, scale, sum); }
  };

  PREFOPT_INLINE power operator()(V const& off) const noexcept {
    V t = off;
    if constexpr (IsScaled) t = t * factor_;
    if constexpr (std::same_as<T, float>) {
      constexpr T shift = math_constants<T>::round_shift + static_cast<T>(math_constants<T>::exponent_bias);
      V const one(T(1)), shifted = fused(t, V(static_cast<T>(1.4426950408889634)), V(shift)), n = shifted - V(shift);
      V r;
      if constexpr (fused_rounds_once) {
        // ln 2 in one number: what its rounding costs is a twentieth of what that of t does.
        r = fused_negated(n, V(static_cast<T>(0.6931471805599453)), t);
      } else {
        // The product would be rounded as t is: in two numbers, of which the first's is exact.
        r = fused_negated(n, V(math_constants<T>::ln2_low), fused_negated(n, V(math_constants<T>::ln2_high), t));
      }
      V const mantissa = fused(fused(polynomial(r, tail), r, one), r, one);
      V const scale = bits_as<T>(bits_as<std::int32_t>(shifted) << math_constants<T>::mantissa_bits);
      auto const below = t < lowest_;
      return {V(xsimd::select(below, V(T(0)), mantissa)), V(xsimd::select(below, V(T(0)), scale))};
    } else {
      exp_parts<V> const parts{t, lowest_};
      return {parts.mantissa, parts.power};
    }
  }

  template <std::size_t N>
  PREFOPT_INLINE std::array<power, N> of_each(std::array<V, N> const& off) const noexcept {
    std::array<power, N> result;
    for (std::size_t k = 0; k < N; ++k) result[k] = (*this)(off[k]);
    return result;
  }

 private:
  // (exp(r) - 1 - r) / r^2 on |r| <= ln(2) / 2; relative error of exp(r) 3.8e-9.
  static constexpr std::array tail{0.4999999403953552f, 0.1666652113199234f, 0.04166838899254799f, 0.0083687175065279f,
                                   0.0013814596459269524f};

  V factor_, lowest_;
};

#if defined(__AVX512F__) && defined(__AVX512DQ__)
/// 2^(n / 16) exp(factor r): the sixteenths looked up, whole powers added to the exponent. The factor is in the
/// constants, so that it costs nothing.
template <batch V, bool IsScaled>
class row_exp<V, IsScaled, true> {
 public:
  row_exp(double factor, float lowest) noexcept
      : per_unit_{in_lanes(factor * 16 * 1.4426950408889634)},
        unit_{in_lanes(0.6931471805599453 / 16 / factor)},
        tail_{in_lanes(factor), in_lanes(factor * factor * tail[1]), in_lanes(factor * factor * factor * tail[2])},
        lowest_{in_lanes(static_cast<double>(lowest) / factor)},
        table_{_mm512_loadu_si512(table.data())} {}

  struct power {
    V product;

    PREFOPT_INLINE V value() const noexcept { return product; }
    PREFOPT_INLINE V added_to(V const& sum) const noexcept { return sum + product; }
  };

  PREFOPT_INLINE power operator()(V const& off) const noexcept {
    std::array<V, 1> one;
    one[0] = off;
    return of_each(one)[0];
  }

  /// Step by step of all: a processor that looks some 60 operations ahead finds enough that do not wait for each other.
  template <std::size_t N>
  PREFOPT_INLINE std::array<power, N> of_each(std::array<V, N> const& off) const noexcept {
    __m512 const shift = _mm512_set1_ps(math_constants<float>::round_shift);
    __m512 x[N], shifted[N], r[N], scale[N], slope[N];
    __mmask16 counts[N];
    std::array<power, N> result;
    for (std::size_t k = 0; k < N; ++k) x[k] = off[k];
    for (std::size_t k = 0; k < N; ++k) shifted[k] = _mm512_fmadd_ps(x[k], per_unit_, shift);
    for (std::size_t k = 0; k < N; ++k) counts[k] = _mm512_cmp_ps_mask(x[k], lowest_, _CMP_NLT_UQ);
    for (std::size_t k = 0; k < N; ++k) r[k] = _mm512_fnmadd_ps(_mm512_sub_ps(shifted[k], shift), unit_, x[k]);
    for (std::size_t k = 0; k < N; ++k) {
      __m512i const n = _mm512_castps_si512(shifted[k]);
      scale[k] = _mm512_castsi512_ps(
          _mm512_add_epi32(_mm512_permutexvar_epi32(n, table_), _mm512_slli_epi32(n, exponent_of_n)));
    }
    for (std::size_t k = 0; k < N; ++k) slope[k] = _mm512_fmadd_ps(tail_[2], r[k], tail_[1]);
    for (std::size_t k = 0; k < N; ++k) slope[k] = _mm512_fmadd_ps(slope[k], r[k], tail_[0]);
    for (std::size_t k = 0; k < N; ++k) slope[k] = _mm512_mul_ps(slope[k], r[k]);
    for (std::size_t k = 0; k < N; ++k) {
      result[k].product = V(_mm512_maskz_fmadd_ps(counts[k], scale[k], slope[k], scale[k]));
    }
    return result;
  }

 private:
  // (exp(r) - 1) / r on |r| <= ln(2) / 32; relative error of exp(r) 1.6e-9.
  static constexpr double tail[]{1, 0.5000161528587341, 0.1666681468486786};
  static constexpr int exponent_of_n = math_constants<float>::mantissa_bits - 4;

  /// 2^(j / 16), less what j adds to its bits together with whole powers.
  static constexpr std::array<std::uint32_t, 16> table = [] {
    constexpr float roots[16]{0x1p+0f,        0x1.0b5586p+0f, 0x1.172b84p+0f, 0x1.2387a6p+0f,
                              0x1.306fep+0f,  0x1.3dea64p+0f, 0x1.4bfdaep+0f, 0x1.5ab07ep+0f,
                              0x1.6a09e6p+0f, 0x1.7a1148p+0f, 0x1.8ace54p+0f, 0x1.9c4918p+0f,
                              0x1.ae89fap+0f, 0x1.c199bep+0f, 0x1.d5818ep+0f, 0x1.ea4afap+0f};
    std::array<std::uint32_t, 16> bits{};
    for (std::uint32_t j = 0; j < 16; ++j) bits[j] = std::bit_cast<std::uint32_t>(roots[j]) - (j << exponent_of_n);
    return bits;
  }();

  static __m512 in_lanes(double number) noexcept { return _mm512_set1_ps(static_cast<float>(number)); }

  __m512 per_unit_, unit_, tail_[3], lowest_;
  __m512i table_;
};
#endif

}  // namespace prefopt::inline PREFOPT_ABI::detail
