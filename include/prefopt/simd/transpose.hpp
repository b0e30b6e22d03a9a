#pragma once

#include <array>
#include <cstddef>
#include <prefopt/simd/lanes.hpp>
#include <type_traits>

namespace prefopt::inline PREFOPT_ABI::detail {

/// Small squares are transposed in 128-bit registers, which every instruction set has.
template <class T>
using narrow_batch = xsimd::make_sized_batch_t<T, 16 / sizeof(T)>;

template <class T, std::size_t Lanes>
inline constexpr std::size_t transposed_side = [] {
  if constexpr (std::is_void_v<narrow_batch<T>>) {
    return std::size_t{1};
  } else {
    return Lanes % narrow_batch<T>::size == 0 ? narrow_batch<T>::size : std::size_t{1};
  }
}();

/// to(j)[i] = from(i)[j] for i, j < side, where from and to give addresses.
template <class T, std::size_t Side, class From, class To>
PREFOPT_INLINE void transpose_square(From const& from, To const& to) noexcept {
  using N = narrow_batch<T>;
  static_assert(Side == 2 || Side == 4);
  N row[Side], next[Side];
  for (std::size_t i = 0; i < Side; ++i) row[i] = N::load_unaligned(from(i));
  // Interleaving the first half of the rows with the second turns the index bits by one.
  for (std::size_t bits = Side; bits > 1; bits /= 2) {
    for (std::size_t i = 0; i < Side / 2; ++i) {
      next[2 * i] = xsimd::zip_lo(row[i], row[i + Side / 2]);
      next[2 * i + 1] = xsimd::zip_hi(row[i], row[i + Side / 2]);
    }
    for (std::size_t i = 0; i < Side; ++i) row[i] = next[i];
  }
  for (std::size_t i = 0; i < Side; ++i) row[i].store_unaligned(to(i));
}

/// into[k * Lanes + lane] = rows[lane][k] for k < size.
template <std::size_t Lanes, class T>
PREFOPT_INLINE void rows_to_lanes(std::array<T const*, Lanes> const& rows, std::size_t size, T* into) noexcept {
  constexpr std::size_t side = transposed_side<T, Lanes>;
  std::size_t k = 0;
  if constexpr (side > 1) {
    for (; k + side <= size; k += side) {
      for (std::size_t lane = 0; lane < Lanes; lane += side) {
        transpose_square<T, side>([&](std::size_t i) PREFOPT_INLINE_LAMBDA { return rows[lane + i] + k; },
                                  [&](std::size_t j) PREFOPT_INLINE_LAMBDA { return into + (k + j) * Lanes + lane; });
      }
    }
  }
  for (; k < size; ++k) {
    for (std::size_t lane = 0; lane < Lanes; ++lane) into[k * Lanes + lane] = rows[lane][k];
  }
}

/// rows[lane][k] = from[k * Lanes + lane] for k < size and the first `live` lanes.
template <std::size_t Lanes, class T>
PREFOPT_INLINE void lanes_to_rows(T const* from, std::size_t size, std::size_t live,
                                  std::array<T*, Lanes> const& rows) noexcept {
  constexpr std::size_t side = transposed_side<T, Lanes>;
  std::size_t lane = 0;
  if constexpr (side > 1) {
    for (; lane + side <= live; lane += side) {
      std::size_t k = 0;
      for (; k + side <= size; k += side) {
        transpose_square<T, side>([&](std::size_t i) PREFOPT_INLINE_LAMBDA { return from + (k + i) * Lanes + lane; },
                                  [&](std::size_t j) PREFOPT_INLINE_LAMBDA { return rows[lane + j] + k; });
      }
      for (; k < size; ++k) {
        for (std::size_t j = 0; j < side; ++j) rows[lane + j][k] = from[k * Lanes + lane + j];
      }
    }
  }
  for (; lane < live; ++lane) {
    for (std::size_t k = 0; k < size; ++k) rows[lane][k] = from[k * Lanes + lane];
  }
}

}  // namespace prefopt::inline PREFOPT_ABI::detail
