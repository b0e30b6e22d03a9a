#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <prefopt/simd/lanes.hpp>
#include <type_traits>

namespace prefopt::inline PREFOPT_ABI {

/// The bits of a 16-bit floating-point number with 8 exponent bits (bfloat16), to be stored and converted, not computed
/// with. From float: to nearest, ties to even; NaN stays NaN.
struct bfloat16 {
  std::uint16_t bits = 0;

  constexpr bfloat16() = default;
  explicit constexpr bfloat16(float value) noexcept {
    auto const wide = std::bit_cast<std::uint32_t>(value);
    std::uint32_t const rounded = wide + 0x7fff + (wide >> 16 & 1);
    bits = static_cast<std::uint16_t>((value == value ? rounded : wide | 0x400000) >> 16);
  }
  explicit constexpr operator float() const noexcept { return std::bit_cast<float>(std::uint32_t{bits} << 16); }
};

/// The same with 5 exponent bits (IEEE 754 binary16). Subnormal numbers are kept; beyond 65504 (from 65520 on) comes
/// infinity.
struct float16 {
  std::uint16_t bits = 0;

  constexpr float16() = default;
  explicit constexpr float16(float value) noexcept {
    auto const wide = std::bit_cast<std::uint32_t>(value);
    std::uint32_t const sign = wide >> 16 & 0x8000, size = wide & 0x7fffffff;
    std::uint32_t half = 0;
    if (size > 0x7f800000) {
      half = 0x7e00 | (size >> 13 & 0x3ff);
    } else if (size >= 0x477ff000) {
      half = 0x7c00;
    } else if (size < 0x38800000) {
      // Adding 1/2 leaves the subnormal half's bits, rounded to even, at the low end of the sum.
      half = std::bit_cast<std::uint32_t>(std::bit_cast<float>(size) + 0.5F) - std::bit_cast<std::uint32_t>(0.5F);
    } else {
      half = (size - 0x38000000 + 0xfff + (size >> 13 & 1)) >> 13;
    }
    bits = static_cast<std::uint16_t>(sign | half);
  }
  explicit constexpr operator float() const noexcept {
    std::uint32_t const sign = std::uint32_t{bits} << 16 & 0x80000000, size = std::uint32_t{bits} << 13 & 0xfffe000;
    std::uint32_t const small = std::bit_cast<std::uint32_t>(static_cast<float>(bits & 0x3ff) * 0x1p-24F);
    std::uint32_t const large = size > 0xf800000 ? size | 0x7fc00000 : size | 0x7f800000;
    return std::bit_cast<float>(sign | (size < 0x800000 ? small : size < 0xf800000 ? size + 0x38000000 : large));
  }
};

namespace detail {

/// 16-bit types of hosts (Eigen::bfloat16, c10::BFloat16, std::bfloat16_t, …) are known by their digits.
template <class U>
concept bfloat16_like = std::same_as<U, bfloat16> ||
    (sizeof(U) == 2 && std::numeric_limits<U>::digits == 8 && !std::integral<U>);
template <class U>
concept float16_like = std::same_as<U, float16> ||(sizeof(U) == 2 && std::numeric_limits<U>::digits == 11);

/// What numbers are stored as and, below, computed in.
template <class U>
concept stored_number = std::same_as<U, float> || std::same_as<U, double> || bfloat16_like<U> || float16_like<U>;

template <stored_number U>
using storage_of = std::conditional_t<bfloat16_like<U>, bfloat16, std::conditional_t<float16_like<U>, float16, U>>;

template <stored_number U>
using computed_of = std::conditional_t<std::same_as<U, double>, double, float>;

/// One stored number, whatever type the host declared it with.
template <stored_number U>
computed_of<U> load_number(U const* from) noexcept {
  storage_of<U> value;
  std::memcpy(&value, static_cast<void const*>(from), sizeof value);
  return static_cast<computed_of<U>>(value);
}

template <stored_number U>
void store_number(computed_of<U> number, U* to) noexcept {
  storage_of<U> const value{number};
  std::memcpy(static_cast<void*>(to), &value, sizeof value);
}

/// A batch of lanes from stored numbers, converted.
template <batch V, class U>
PREFOPT_INLINE V load_lanes(U const* from) noexcept {
  using A = typename V::arch_type;
  if constexpr (std::same_as<U, typename V::value_type>) {
    return V::load_unaligned(from);
  } else {
#if defined(__AVX512F__)
    if constexpr (std::is_base_of_v<xsimd::avx512f, A>) {
      __m256i const bits = _mm256_loadu_si256(reinterpret_cast<__m256i const*>(from));
      if constexpr (bfloat16_like<U>) {
        return V(_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16)));
      } else {
        return V(_mm512_cvtph_ps(bits));
      }
    }
#endif
#if defined(__AVX2__) && defined(__F16C__)
    if constexpr (std::is_base_of_v<xsimd::avx2, A>) {
      __m128i const bits = _mm_loadu_si128(reinterpret_cast<__m128i const*>(from));
      if constexpr (bfloat16_like<U>) {
        return V(_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16)));
      } else {
        return V(_mm256_cvtph_ps(bits));
      }
    }
#endif
    alignas(A::alignment()) typename V::value_type numbers[V::size];
    for (std::size_t i = 0; i < V::size; ++i) numbers[i] = load_number(from + i);
    return V::load_aligned(numbers);
  }
}

/// The other way, rounded to nearest.
template <batch V, class U>
PREFOPT_INLINE void store_lanes(V const& x, U* to) noexcept {
  using A = typename V::arch_type;
  if constexpr (std::same_as<U, typename V::value_type>) {
    x.store_unaligned(to);
  } else {
#if defined(__AVX512F__)
    if constexpr (std::is_base_of_v<xsimd::avx512f, A>) {
      __m256i half;
      if constexpr (bfloat16_like<U>) {
        __m512 const numbers = x;
        __m512i const wide = _mm512_castps_si512(numbers);
        __m512i const odd = _mm512_and_si512(_mm512_srli_epi32(wide, 16), _mm512_set1_epi32(1));
        __m512i const rounded = _mm512_add_epi32(_mm512_add_epi32(wide, _mm512_set1_epi32(0x7fff)), odd);
        __m512i const kept = _mm512_mask_or_epi32(rounded, _mm512_cmp_ps_mask(numbers, numbers, _CMP_UNORD_Q), wide,
                                                  _mm512_set1_epi32(0x400000));
        half = _mm512_cvtepi32_epi16(_mm512_srli_epi32(kept, 16));
      } else {
        half = _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
      }
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), half);
      return;
    }
#endif
#if defined(__AVX2__) && defined(__F16C__)
    if constexpr (std::is_base_of_v<xsimd::avx2, A>) {
      __m128i half;
      if constexpr (bfloat16_like<U>) {
        __m256 const numbers = x;
        __m256i const wide = _mm256_castps_si256(numbers);
        __m256i const odd = _mm256_and_si256(_mm256_srli_epi32(wide, 16), _mm256_set1_epi32(1));
        __m256i const rounded = _mm256_add_epi32(_mm256_add_epi32(wide, _mm256_set1_epi32(0x7fff)), odd);
        __m256i const nan = _mm256_castps_si256(_mm256_cmp_ps(numbers, numbers, _CMP_UNORD_Q));
        __m256i const kept = _mm256_blendv_epi8(rounded, _mm256_or_si256(wide, _mm256_set1_epi32(0x400000)), nan);
        __m256i const high = _mm256_srli_epi32(kept, 16);
        half = _mm256_castsi256_si128(_mm256_permute4x64_epi64(_mm256_packus_epi32(high, high), 0b1000));
      } else {
        half = _mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
      }
      _mm_storeu_si128(reinterpret_cast<__m128i*>(to), half);
      return;
    }
#endif
    alignas(A::alignment()) typename V::value_type numbers[V::size];
    x.store_aligned(numbers);
    for (std::size_t i = 0; i < V::size; ++i) store_number(numbers[i], to + i);
  }
}

/// Whether two batches take every second number each: of bfloat16 one is then a shift and the other a mask.
template <batch V, class U>
inline constexpr bool takes_every_second =
#if defined(__AVX512F__)
    bfloat16_like<U>&& std::is_base_of_v<xsimd::avx512f, typename V::arch_type>;
#else
    false;
#endif

/// Where load_two puts number i of two batches.
template <batch V, class U>
constexpr std::size_t place_in_two(std::size_t i) noexcept {
  return takes_every_second<V, U> ? i % 2 * V::size + i / 2 : i;
}

/// Two batches of lanes from 2 V::size stored numbers, in the order that is quickest.
template <batch V, class U>
PREFOPT_INLINE std::array<V, 2> load_two(U const* from) noexcept {
  // Not by an initializer: a batch may be made of a list of numbers, too.
  std::array<V, 2> two;
#if defined(__AVX512F__)
  if constexpr (takes_every_second<V, U>) {
    __m512i const bits = _mm512_loadu_si512(from);
    two[0] = V(_mm512_castsi512_ps(_mm512_slli_epi32(bits, 16)));
    two[1] = V(_mm512_castsi512_ps(_mm512_and_si512(bits, _mm512_set1_epi32(static_cast<int>(0xffff0000)))));
    return two;
  }
#endif
  two[0] = load_lanes<V>(from);
  two[1] = load_lanes<V>(from + V::size);
  return two;
}

/// The other way, rounded to nearest. The low 16 bits of a NaN must not all be 1.
template <batch V, class U>
PREFOPT_INLINE void store_two(std::array<V, 2> const& x, U* to) noexcept {
#if defined(__AVX512F__)
  if constexpr (takes_every_second<V, U>) {
    auto const rounded = [](V const& numbers) PREFOPT_INLINE_LAMBDA {
      __m512i const wide = _mm512_castps_si512(numbers);
      __m512i const odd = _mm512_and_si512(_mm512_srli_epi32(wide, 16), _mm512_set1_epi32(1));
      return _mm512_add_epi32(_mm512_add_epi32(wide, _mm512_set1_epi32(0x7fff)), odd);
    };
    constexpr int first_bits_of_mask = 0xca;
    _mm512_storeu_si512(to, _mm512_ternarylogic_epi32(_mm512_set1_epi32(0xffff), _mm512_srli_epi32(rounded(x[0]), 16),
                                                      rounded(x[1]), first_bits_of_mask));
    return;
  }
#endif
  store_lanes(x[0], to);
  store_lanes(x[1], to + V::size);
}

}  // namespace detail
}  // namespace prefopt::inline PREFOPT_ABI
