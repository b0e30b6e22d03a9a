#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <prefopt/engine/list_kernel.hpp>
#include <prefopt/simd/transpose.hpp>
#include <prefopt/view/column.hpp>

namespace prefopt::inline PREFOPT_ABI::detail {

/// Lanes with two equal values among `size` in a column of the tile. Behind them are NaNs up to a multiple of four.
template <class V, class T>
PREFOPT_INLINE auto lanes_with_ties(T const* values, std::size_t size) noexcept {
  auto const at = [&](std::size_t k) PREFOPT_INLINE_LAMBDA { return V::load_aligned(values + k * V::size); };
  auto tied = V(T(0)) > V(T(0));
  for (std::size_t i = 0; i < size; i += 4) {
    V const a = at(i), b = at(i + 1), c = at(i + 2), d = at(i + 3);
    tied = tied | (((a == b) | (c == d)) | (((a == c) | (b == d)) | ((a == d) | (b == c))));
    for (std::size_t j = i + 4; j < size; ++j) {
      V const x = at(j);
      tied = tied | (((a == x) | (b == x)) | ((c == x) | (d == x)));
    }
  }
  return tied;
}

/// The first of `count` groups in which two rewards are equal, a group a lane; no_example if none. NaN equals nothing.
/// Groups that are too large for a lane are passed over.
template <class T, class Arch>
PREFOPT_NOINLINE std::size_t first_tie(column_memory<T> const& rewards, std::int64_t const* offsets,
                                       std::size_t count) noexcept {
  using V = xsimd::batch<T, Arch>;
  constexpr std::size_t lanes = V::size;
  V const missing(std::numeric_limits<T>::quiet_NaN());
  column<T> const reward{rewards};
  T const* const in_place = reward.in_place();
  alignas(64) T tile[largest_lane_group * lanes];
  for (std::size_t first = 0; first < count; first += lanes) {
    // Lanes without a group repeat the last one.
    std::array<T const*, lanes> rows;
    std::size_t begins[lanes], sizes[lanes], size = 0;
    bool is_even = in_place != nullptr;
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      std::size_t const group = std::min(first + lane, count - 1);
      begins[lane] = static_cast<std::size_t>(offsets[group]);
      sizes[lane] = static_cast<std::size_t>(offsets[group + 1]) - begins[lane];
      if (sizes[lane] > largest_lane_group) sizes[lane] = 0;
      if (in_place != nullptr) rows[lane] = in_place + begins[lane];
      size = std::max(size, sizes[lane]);
      is_even = is_even && sizes[lane] == sizes[0];
    }
    for (std::size_t k = is_even ? size : 0; k < size || k % 4 != 0; ++k) missing.store_aligned(tile + k * lanes);
    if (is_even) {
      rows_to_lanes(rows, size, tile);
    } else {
      T buffer[largest_lane_group];
      for (std::size_t lane = 0; lane < lanes; ++lane) {
        T const* const from = reward.block(begins[lane], sizes[lane], buffer);
        for (std::size_t k = 0; k < sizes[lane]; ++k) tile[k * lanes + lane] = from[k];
      }
    }
    auto const tied = lanes_with_ties<V>(tile, size);
    if (!xsimd::any(tied)) continue;
    bool marks[lanes];
    tied.store_unaligned(marks);
    return first + static_cast<std::size_t>(std::find(marks, marks + lanes, true) - marks);
  }
  return no_example;
}

}  // namespace prefopt::inline PREFOPT_ABI::detail
