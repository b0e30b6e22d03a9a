#pragma once

#include <cstddef>
#include <limits>
#include <prefopt/core/abi.hpp>
#include <prefopt/simd/arithmetic.hpp>
#include <prefopt/simd/lanes.hpp>
#include <type_traits>

namespace PREFOPT_KERNELS {

/// Rows of a gradient by logits, or some columns of them, as a filter of columns sees them.
template <class T>
struct gradient_columns {
  T const* first;
  std::ptrdiff_t stride;
  std::size_t rows, columns;
};

/// What is dropped of a row: the sum of its numbers and of their sizes; and the sizes of all that it has.
struct row_tail {
  double sum, size, all;
};

/// How far the dropped part of a row is from what stands in for it: the sum of sizes times norms, and that of squares.
struct row_distance {
  double weighted, squares;
};

template <class T>
struct filter_kernels {
  /// keeps[column] becomes 1 where a number reaches its row's limit or is NaN; columns where it stays 0 are dropped.
  /// `sums` become those of the dropped columns, each number times its row's sign; of kept ones 0.
  void (*drop)(gradient_columns<T> const&, T const* limits, T const* signs, T* keeps, T* sums, row_tail*) noexcept;
  /// Of dropped columns against shares[row] sums[column], each distance times its row's scale.
  void (*measure)(gradient_columns<T> const&, T const* shares, T const* scales, T const* keeps, T const* sums,
                  T const* norms, row_distance*) noexcept;
};

}  // namespace PREFOPT_KERNELS

namespace prefopt::inline PREFOPT_ABI::detail {

using namespace PREFOPT_KERNELS;

/// Calls step(i, true) for whole batches, and step(i, false) for the numbers that are left, each a constant.
template <class V, class Step>
PREFOPT_INLINE void for_lanes(std::size_t count, Step const& step) noexcept {
  std::size_t i = 0;
  for (; i + V::size <= count; i += V::size) step(i, std::true_type{});
  for (; i < count; ++i) step(i, std::false_type{});
}

template <class Arch, class T>
PREFOPT_NOINLINE void drop_columns(gradient_columns<T> const& of, T const* limits, T const* signs, T* keeps, T* sums,
                                   row_tail* tails) noexcept {
  using V = xsimd::batch<T, Arch>;
  V const none(T(0));
  for (std::size_t row = 0; row < of.rows; ++row) {
    T const* const g = of.first + static_cast<std::ptrdiff_t>(row) * of.stride;
    V const limit(limits[row]);
    V sizes = none;
    double rest = 0;
    for_lanes<V>(of.columns, [&](std::size_t i, auto whole) PREFOPT_INLINE_LAMBDA {
      if constexpr (whole()) {
        V const size = xsimd::abs(V::load_unaligned(g + i));
        sizes += size;
        // A NaN is kept.
        V const before = V::load_unaligned(keeps + i);
        xsimd::select(size < limit, before, V(T(1))).store_unaligned(keeps + i);
      } else {
        T const size = g[i] < 0 ? -g[i] : g[i];
        rest += static_cast<double>(size);
        if (!(size < limits[row])) keeps[i] = T(1);
      }
    });
    tails[row].all = static_cast<double>(sum_of_lanes(sizes)) + rest;
  }
  for (std::size_t i = 0; i < of.columns; ++i) sums[i] = T(0);
  for (std::size_t row = 0; row < of.rows; ++row) {
    T const* const g = of.first + static_cast<std::ptrdiff_t>(row) * of.stride;
    V const sign(signs[row]);
    V total = none, sizes = none;
    double rest = 0, rest_of_sizes = 0;
    for_lanes<V>(of.columns, [&](std::size_t i, auto whole) PREFOPT_INLINE_LAMBDA {
      if constexpr (whole()) {
        V const number = xsimd::select(V::load_unaligned(keeps + i) == none, V::load_unaligned(g + i), none);
        total += number;
        sizes += xsimd::abs(number);
        (V::load_unaligned(sums + i) + sign * number).store_unaligned(sums + i);
      } else if (keeps[i] == T(0)) {
        rest += static_cast<double>(g[i]);
        rest_of_sizes += static_cast<double>(g[i] < 0 ? -g[i] : g[i]);
        sums[i] += signs[row] * g[i];
      }
    });
    tails[row].sum = static_cast<double>(sum_of_lanes(total)) + rest;
    tails[row].size = static_cast<double>(sum_of_lanes(sizes)) + rest_of_sizes;
  }
}

template <class Arch, class T>
PREFOPT_NOINLINE void measure_dropped(gradient_columns<T> const& of, T const* shares, T const* scales, T const* keeps,
                                      T const* sums, T const* norms, row_distance* distances) noexcept {
  using V = xsimd::batch<T, Arch>;
  V const none(T(0));
  for (std::size_t row = 0; row < of.rows; ++row) {
    T const* const g = of.first + static_cast<std::ptrdiff_t>(row) * of.stride;
    V const share(shares[row]), scale(scales[row]);
    V weighted = none, squares = none;
    double rest = 0, rest_of_squares = 0;
    for_lanes<V>(of.columns, [&](std::size_t i, auto whole) PREFOPT_INLINE_LAMBDA {
      if constexpr (whole()) {
        V const off = V::load_unaligned(g + i) - share * V::load_unaligned(sums + i);
        V const number = xsimd::select(V::load_unaligned(keeps + i) == none, V(xsimd::abs(off) * scale), none);
        weighted += number * V::load_unaligned(norms + i);
        squares += number * number;
      } else if (keeps[i] == T(0)) {
        T const off = g[i] - shares[row] * sums[i];
        double const number = static_cast<double>((off < 0 ? -off : off) * scales[row]);
        rest += number * static_cast<double>(norms[i]);
        rest_of_squares += number * number;
      }
    });
    distances[row] = {static_cast<double>(sum_of_lanes(weighted)) + rest,
                      static_cast<double>(sum_of_lanes(squares)) + rest_of_squares};
  }
}

template <class Arch, class T>
constexpr filter_kernels<T> filter_kernels_of() noexcept {
  return {&drop_columns<Arch, T>, &measure_dropped<Arch, T>};
}

}  // namespace prefopt::inline PREFOPT_ABI::detail
