#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <prefopt/engine/list_kernel.hpp>

namespace prefopt::inline PREFOPT_ABI::detail {

/// a > b with NaN, which no order has a place for, behind everything.
template <class T>
PREFOPT_INLINE bool ranks_higher(T a, T b) noexcept {
  return b == b ? a > b : a == a;
}

/// The places of a group's values, highest first, equal ones as they came.
template <class T, class Index>
void order_by(T const* values, std::size_t size, Index* order) noexcept {
  for (std::size_t i = 0; i < size; ++i) order[i] = static_cast<Index>(i);
  std::sort(order, order + size, [values](Index a, Index b) {
    return ranks_higher(values[a], values[b]) || (!ranks_higher(values[b], values[a]) && a < b);
  });
}

/// Values and their places in the tile, a group a lane; exchanged with others.
template <class Where, class V>
PREFOPT_INLINE void exchange(Where const& where, V& value, V& next, V& place, V& next_place) noexcept {
  V const v = value, p = place;
  value = xsimd::select(where, next, v);
  next = xsimd::select(where, v, next);
  place = xsimd::select(where, next_place, p);
  next_place = xsimd::select(where, p, next_place);
}

/// By exchanges of neighbours, which keep the order of equals.
template <std::size_t Size, class V, class T>
PREFOPT_INLINE void sort_in_registers(T* values, T* places) noexcept {
  V value[Size], place[Size];
  for (std::size_t k = 0; k < Size; ++k) {
    value[k] = V::load_aligned(values + k * V::size);
    place[k] = V::load_aligned(places + k * V::size);
  }
  for (std::size_t round = 0; round < Size; ++round) {
    for (std::size_t k = round % 2; k + 1 < Size; k += 2) {
      exchange(value[k] < value[k + 1], value[k], value[k + 1], place[k], place[k + 1]);
    }
  }
  for (std::size_t k = 0; k < Size; ++k) {
    value[k].store_aligned(values + k * V::size);
    place[k].store_aligned(places + k * V::size);
  }
}

/// Exchanges candidates i and j > i where where(value, next, place, next_place) says so.
template <class V, class T, class Where>
PREFOPT_INLINE void exchange_in_memory(T* values, T* places, std::size_t i, std::size_t j,
                                       Where const& where) noexcept {
  T *const v = values + i * V::size, *const next_v = values + j * V::size;
  T *const p = places + i * V::size, *const next_p = places + j * V::size;
  V value = V::load_aligned(v), next = V::load_aligned(next_v);
  V place = V::load_aligned(p), next_place = V::load_aligned(next_p);
  exchange(where(value, next, place, next_place), value, next, place, next_place);
  value.store_aligned(v);
  next.store_aligned(next_v);
  place.store_aligned(p);
  next_place.store_aligned(next_p);
}

template <class V, class T>
PREFOPT_INLINE void sort_in_memory(T* values, T* places, std::size_t size) noexcept {
  for (std::size_t round = 0; round < size; ++round) {
    for (std::size_t k = round % 2; k + 1 < size; k += 2) {
      exchange_in_memory<V>(values, places, k, k + 1,
                            [](V const& value, V const& next, V const&, V const&)
                                PREFOPT_INLINE_LAMBDA { return value < next; });
    }
  }
}

/// Sorted runs of eight, then merged: Batcher's network (Knuth, volume 3, 5.2.2, algorithm M), O(K log^2 K). It exchanges
/// candidates that are far apart, so the order of equals is in the comparison. Not for NaN, which no comparison places.
template <class V, class T>
PREFOPT_INLINE void sort_by_merging(T* values, T* places, std::size_t size) noexcept {
  constexpr std::size_t sorted = 8;
  std::size_t const whole = size - size % sorted;
  for (std::size_t k = 0; k < whole; k += sorted) {
    sort_in_registers<sorted, V>(values + k * V::size, places + k * V::size);
  }
  sort_in_memory<V>(values + whole * V::size, places + whole * V::size, size - whole);
  for (std::size_t run = sorted; run < size; run *= 2) {
    for (std::size_t gap = run; gap > 0; gap /= 2) {
      for (std::size_t begin = gap % run; begin + gap < size; begin += 2 * gap) {
        bool const is_between_merges = gap < run && (begin + gap) % (2 * run) == 0;
        std::size_t const end = is_between_merges ? begin : std::min(begin + gap, size - gap);
        for (std::size_t i = begin; i < end; ++i) {
          exchange_in_memory<V>(
              values, places, i, i + gap,
              [](V const& value, V const& next, V const& place, V const& next_place)
                  PREFOPT_INLINE_LAMBDA { return (value < next) | ((value == next) & (next_place < place)); });
        }
      }
    }
  }
}

/// The same for a group in every lane: sorts the values, and says where in the tile each of them was. False if nothing
/// had to be moved; `origins` then is not written. Needs room for as many values.
template <class T, class Arch>
PREFOPT_NOINLINE bool order_lanes(T* values, std::size_t size, tile_index<T>* origins, T* places) noexcept {
  using V = xsimd::batch<T, Arch>;
  constexpr std::size_t lanes = V::size;
  auto misplaced = V(T(0)) > V(T(0)), missing = misplaced;
  V before = V::load_aligned(values);
  for (std::size_t k = 0; k < size; ++k) {
    V const value = V::load_aligned(values + k * lanes);
    misplaced = misplaced | (before < value);
    missing = missing | !(value == value);
    before = value;
  }
  if (!xsimd::any(misplaced)) return false;
  V const lane = lane_numbers<T, Arch>();
  for (std::size_t k = 0; k < size; ++k) V(lane + V(static_cast<T>(k * lanes))).store_aligned(places + k * lanes);
  // The commonest sizes do not leave the registers.
  switch (size) {
    case 2:
      sort_in_registers<2, V>(values, places);
      break;
    case 4:
      sort_in_registers<4, V>(values, places);
      break;
    case 8:
      sort_in_registers<8, V>(values, places);
      break;
    default:
      if (size < 8 || xsimd::any(missing)) {
        sort_in_memory<V>(values, places, size);
      } else {
        sort_by_merging<V>(values, places, size);
      }
  }
  for (std::size_t k = 0; k < size; ++k) {
    xsimd::to_int(V::load_aligned(places + k * lanes)).store_aligned(origins + k * lanes);
  }
  return true;
}

/// Sorts upwards; returns how many pairs stood in the order smaller before larger already.
template <class T>
double count_rising(T* values, T* other, std::size_t size) noexcept {
  double rising = 0;
  for (std::size_t width = 1; width < size; width *= 2) {
    for (std::size_t begin = 0; begin < size; begin += 2 * width) {
      std::size_t const middle = std::min(begin + width, size), end = std::min(begin + 2 * width, size);
      std::size_t a = begin, b = middle;
      for (std::size_t to = begin; to < end; ++to) {
        if (b == end || (a < middle && values[a] <= values[b])) {
          other[to] = values[a++];
        } else {
          other[to] = values[b++];
        }
      }
      // Of every value of the second run, those of the first that are smaller.
      a = begin;
      for (b = middle; b < end; ++b) {
        while (a < middle && values[a] < values[b]) ++a;
        rising += static_cast<double>(a - begin);
      }
    }
    std::swap(values, other);
  }
  return rising;
}

/// Pairs of equal neighbours, and of those farther apart in the same run.
template <class Same>
double pairs_in_runs(std::size_t size, Same const& same) noexcept {
  double pairs = 0;
  std::size_t begin = 0;
  for (std::size_t i = 1; i <= size; ++i) {
    if (i < size && same(i - 1, i)) continue;
    pairs += pairs_among(i - begin);
    begin = i;
  }
  return pairs;
}

/// How many pairs of a group its evidence orders, and how many of them the scores rank right, a tie counting half:
/// Kendall's tau by merging, O(K log K) (Knight 1966). NaN as evidence orders nothing, as a score it is always wrong.
/// Needs room for `size` places and three times as many values.
template <class T, class Index>
std::array<double, 2> count_ranked_pairs(T const* evidence, T const* score, std::size_t size, Index* order,
                                         T* room) noexcept {
  Index* end = order;
  for (std::size_t i = 0; i < size; ++i) {
    if (evidence[i] == evidence[i]) *end++ = static_cast<Index>(i);
  }
  std::sort(order, end, [=](Index a, Index b) {
    return evidence[a] != evidence[b] ? evidence[a] > evidence[b] : ranks_higher(score[a], score[b]);
  });
  auto const same_evidence = [=](std::size_t a, std::size_t b) { return evidence[order[a]] == evidence[order[b]]; };
  auto const count_ordered = [&] {
    auto const n = static_cast<std::size_t>(end - order);
    return n == 0 ? 0 : pairs_among(n) - pairs_in_runs(n, same_evidence);
  };
  double const ordered = count_ordered();
  end = std::remove_if(order, end, [=](Index i) { return score[i] != score[i]; });
  auto const n = static_cast<std::size_t>(end - order);
  if (n == 0) return {ordered, 0};
  double const equal_both = pairs_in_runs(
      n, [=](std::size_t a, std::size_t b) { return same_evidence(a, b) && score[order[a]] == score[order[b]]; });
  T *const sorted = room, *const merged = room + size, *const scores = room + 2 * size;
  for (std::size_t i = 0; i < n; ++i) sorted[i] = scores[i] = score[order[i]];
  double const wrong = count_rising(sorted, merged, n);
  std::sort(scores, scores + n);
  double const equal_score = pairs_in_runs(n, [=](std::size_t a, std::size_t b) { return scores[a] == scores[b]; });
  return {ordered, count_ordered() - wrong - (equal_score - equal_both) / 2};
}

}  // namespace prefopt::inline PREFOPT_ABI::detail
