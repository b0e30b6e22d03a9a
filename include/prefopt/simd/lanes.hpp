#pragma once

#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <prefopt/core/abi.hpp>
#include <type_traits>

// GCC 12 takes its own AVX-512 intrinsics' deliberately undefined registers for mistakes (GCC bug 105593).
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ < 13
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <xsimd/xsimd.hpp>
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ < 13
#pragma GCC diagnostic pop
#endif

namespace prefopt::inline PREFOPT_ABI {

/// What a loss computes on: float, double, an xsimd batch of either, or any scalar of the user's with the same
/// arithmetic (long double, an automatic-differentiation type). One body serves them all.
template <class V>
concept lane = !std::integral<V> && std::copy_constructible<V> && requires(V const a, V const b) {
  V(a + b);
  V(a - b);
  V(a * b);
  V(a / b);
  V(-a);
  a < b;
};

namespace detail {

template <class V>
struct batch_traits {
  static constexpr bool is_batch = false;
  using scalar = V;
};

template <class T, class Arch>
struct batch_traits<xsimd::batch<T, Arch>> {
  static constexpr bool is_batch = true;
  using scalar = T;
};

template <class V>
concept batch = batch_traits<V>::is_batch;

}  // namespace detail

namespace detail {

/// a * b + c. xsimd 8.1 does not fuse it on AVX-512, and only some compilers then do.
template <batch V>
PREFOPT_INLINE V fused(V const& a, V const& b, V const& c) noexcept {
#if defined(__AVX512F__)
  if constexpr (std::is_base_of_v<xsimd::avx512f, typename V::arch_type>) {
    if constexpr (std::same_as<typename V::value_type, float>) {
      return _mm512_fmadd_ps(a, b, c);
    } else {
      return _mm512_fmadd_pd(a, b, c);
    }
  }
#endif
  return xsimd::fma(a, b, c);
}

/// Whether fused() rounds once: everywhere but on x86 without FMA.
inline constexpr bool fused_rounds_once =
#if defined(__SSE2__) && !defined(__FMA__)
    false;
#else
    true;
#endif

/// c - a * b, likewise.
template <batch V>
PREFOPT_INLINE V fused_negated(V const& a, V const& b, V const& c) noexcept {
#if defined(__AVX512F__)
  if constexpr (std::is_base_of_v<xsimd::avx512f, typename V::arch_type>) {
    if constexpr (std::same_as<typename V::value_type, float>) {
      return _mm512_fnmadd_ps(a, b, c);
    } else {
      return _mm512_fnmadd_pd(a, b, c);
    }
  }
#endif
#if defined(__aarch64__)
  // xsimd's is generic, and not fused by every compiler.
  if constexpr (std::is_base_of_v<xsimd::neon64, typename V::arch_type>) {
    if constexpr (std::same_as<typename V::value_type, float>) {
      return vfmsq_f32(c, a, b);
    } else {
      return vfmsq_f64(c, a, b);
    }
  }
#endif
  return xsimd::fnma(a, b, c);
}

#if defined(__SSE2__)
// Of the two numbers the second where either is NaN, which is not so on other processors. With AVX-512 by a mask of all
// lanes: the plain intrinsics have an undefined register, for which g++ takes no two calls for the same.

template <batch V>
PREFOPT_INLINE V minimum_or_second(V const& a, V const& b) noexcept {
#if defined(__AVX512F__)
  if constexpr (std::is_base_of_v<xsimd::avx512f, typename V::arch_type>) {
    if constexpr (std::same_as<typename V::value_type, float>) {
      return _mm512_maskz_min_ps(0xFFFF, a, b);
    } else {
      return _mm512_maskz_min_pd(0xFF, a, b);
    }
  }
#endif
  return xsimd::min(a, b);
}

template <batch V>
PREFOPT_INLINE V maximum_or_second(V const& a, V const& b) noexcept {
#if defined(__AVX512F__)
  if constexpr (std::is_base_of_v<xsimd::avx512f, typename V::arch_type>) {
    if constexpr (std::same_as<typename V::value_type, float>) {
      return _mm512_maskz_max_ps(0xFFFF, a, b);
    } else {
      return _mm512_maskz_max_pd(0xFF, a, b);
    }
  }
#endif
  return xsimd::max(a, b);
}
#endif

/// a / b, rounded once. xsimd's operator is an approximation for float on 64-bit Arm.
template <batch V>
PREFOPT_INLINE V quotient(V const& a, V const& b) noexcept {
#if defined(__aarch64__)
  if constexpr (std::is_base_of_v<xsimd::neon64, typename V::arch_type> &&
                std::same_as<typename V::value_type, float>) {
    return vdivq_f32(a, b);
  }
#endif
  return a / b;
}

/// The square root, likewise.
template <batch V>
PREFOPT_INLINE V square_root(V const& x) noexcept {
#if defined(__aarch64__)
  if constexpr (std::is_base_of_v<xsimd::neon64, typename V::arch_type> &&
                std::same_as<typename V::value_type, float>) {
    return vsqrtq_f32(x);
  }
#endif
  return xsimd::sqrt(x);
}

}  // namespace detail

/// The vocabulary that losses are written in. Function objects, so that a call never competes with xsimd's, Eigen's or
/// std's functions of the same name through argument-dependent lookup.
namespace math {

/// A parameter or literal as a lane: rounded once to the lane's precision.
template <lane V>
PREFOPT_INLINE constexpr V constant(double value) noexcept {
  if constexpr (detail::batch<V> || std::floating_point<V>) {
    return V(static_cast<typename detail::batch_traits<V>::scalar>(value));
  } else {
    return V(value);
  }
}

/// condition ? yes : no, lane by lane.
inline constexpr struct {
  template <class Condition, lane V>
  PREFOPT_INLINE constexpr V operator()(Condition const& condition, V const& yes, V const& no) const noexcept {
    if constexpr (detail::batch<V>) {
      return xsimd::select(condition, yes, no);
    } else {
      return condition ? yes : no;
    }
  }
} select{};

/// |x|; NaN stays NaN.
inline constexpr struct {
  template <lane V>
  PREFOPT_INLINE constexpr V operator()(V const& x) const noexcept {
    if constexpr (detail::batch<V>) {
      return xsimd::abs(x);
    } else {
      return x < V(0) ? V(-x) : x;
    }
  }
} abs{};

/// -|x|; NaN stays NaN.
inline constexpr struct {
  template <lane V>
  PREFOPT_INLINE constexpr V operator()(V const& x) const noexcept {
    if constexpr (detail::batch<V>) {
      return x | V(typename V::value_type(-0.0));
    } else {
      return x < V(0) ? x : V(-x);
    }
  }
} negated_abs{};

/// max(x, 0); 0 for NaN, so add it to something that keeps the NaN.
inline constexpr struct {
  template <lane V>
  PREFOPT_INLINE constexpr V operator()(V const& x) const noexcept {
#if defined(__SSE2__)
    // The second of the two where either is NaN, which is not so on other processors.
    if constexpr (detail::batch<V>) return xsimd::max(x, constant<V>(0));
#endif
    return math::select(x > constant<V>(0), x, constant<V>(0));
  }
} positive_part{};

/// The square root.
inline constexpr struct {
  template <lane V>
  PREFOPT_INLINE V operator()(V const& x) const noexcept {
    if constexpr (detail::batch<V>) {
      return detail::square_root(x);
    } else {
      using std::sqrt;
      return sqrt(x);
    }
  }
} sqrt{};

/// x, copied as a register: of a member of a class g++ would make a detour through memory.
inline constexpr struct {
  template <lane V>
  PREFOPT_INLINE constexpr V operator()(V const& x) const noexcept {
    if constexpr (detail::batch<V>) {
      return V(static_cast<typename V::register_type>(x));
    } else {
      return x;
    }
  }
} copy{};

/// a / b, rounded once; the lanes' own operator is not everywhere.
inline constexpr struct {
  template <lane V>
  PREFOPT_INLINE constexpr V operator()(V const& a, V const& b) const noexcept {
    if constexpr (detail::batch<V>) {
      return detail::quotient(a, b);
    } else {
      return V(a / b);
    }
  }
} divide{};

/// a * b + c, fused where the lanes are fused.
inline constexpr struct {
  template <lane V>
  PREFOPT_INLINE constexpr V operator()(V const& a, V const& b, V const& c) const noexcept {
    if constexpr (detail::batch<V>) {
      return detail::fused(a, b, c);
    } else {
      return V(a * b + c);
    }
  }
} fma{};

}  // namespace math

namespace detail {

template <class To, class T, class Arch>
PREFOPT_INLINE auto bits_as(xsimd::batch<T, Arch> const& x) noexcept {
#if XSIMD_VERSION_MAJOR >= 11
  return xsimd::bitwise_cast<To>(x);
#else
  return xsimd::bitwise_cast<xsimd::batch<To, Arch>>(x);
#endif
}

template <class T, class Arch>
PREFOPT_INLINE T sum_of_lanes(xsimd::batch<T, Arch> const& x) noexcept {
#if XSIMD_VERSION_MAJOR >= 9
  return xsimd::reduce_add(x);
#else
  return xsimd::hadd(x);
#endif
}

/// Lanes with a NaN or an infinity.
template <class T, class Arch>
PREFOPT_INLINE auto is_not_finite(xsimd::batch<T, Arch> const& x) noexcept {
#if defined(__AVX512DQ__)
  if constexpr (std::is_base_of_v<xsimd::avx512dq, Arch>) {
    constexpr int nan_or_infinity = 0x99;
    if constexpr (std::same_as<T, float>) {
      return xsimd::batch_bool<T, Arch>(_mm512_fpclass_ps_mask(x, nan_or_infinity));
    } else {
      return xsimd::batch_bool<T, Arch>(_mm512_fpclass_pd_mask(x, nan_or_infinity));
    }
  }
#endif
  xsimd::batch<T, Arch> const zero(T(0));
  // Not !=: xsimd 8.1 orders that comparison on AVX, and NaN would pass.
  return !(x * zero == zero);
}

/// The first `count` lanes from memory, of which no more is read; 0 in the others.
template <batch V, class T>
PREFOPT_INLINE V load_first(T const* from, std::size_t count) noexcept {
#if defined(__AVX512F__)
  if constexpr (std::is_base_of_v<xsimd::avx512f, typename V::arch_type>) {
    auto const lanes = (1U << count) - 1U;
    if constexpr (std::same_as<T, float>) {
      return _mm512_maskz_loadu_ps(static_cast<__mmask16>(lanes), from);
    } else {
      return _mm512_maskz_loadu_pd(static_cast<__mmask8>(lanes), from);
    }
  }
#endif
  alignas(64) T numbers[V::size] = {};
  for (std::size_t i = 0; i < count; ++i) numbers[i] = from[i];
  return V::load_aligned(numbers);
}

/// 0, 1, 2, … in the lanes.
template <class T, class Arch>
PREFOPT_INLINE xsimd::batch<T, Arch> lane_numbers() noexcept {
  using V = xsimd::batch<T, Arch>;
  alignas(Arch::alignment()) T numbers[V::size];
  for (std::size_t i = 0; i < V::size; ++i) numbers[i] = static_cast<T>(i);
  return V::load_aligned(numbers);
}

}  // namespace detail
}  // namespace prefopt::inline PREFOPT_ABI
