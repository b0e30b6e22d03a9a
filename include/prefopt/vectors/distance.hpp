#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <prefopt/batch/options.hpp>
#include <prefopt/core/parts.hpp>
#include <prefopt/vectors/vector_rows.hpp>
#include <prefopt/view/column.hpp>
#include <prefopt/view/row_major.hpp>
#include <type_traits>

namespace prefopt::inline PREFOPT_ABI {

/// Completions as points, and the point that each pair's user would like best, for PAL. T: float or double.
template <class T>
struct distance_pairs {
  row_major<T const> chosen{}, rejected{};  ///< [n, dimension]
  row_major<T const> user{};                ///< [n, dimension]; a row stride of 0 is one user for all
  double scale = 1;                         ///< > 0; PAL learns it, from 1 / 0.07 to 100
};

/// Where gradients go, [n, dimension] each, or left out.
template <class T>
struct distance_gradient_outputs {
  row_major<T> d_chosen{}, d_rejected{}, d_user{};
};

namespace detail {

template <class T>
void check_distance(char const* where, distance_pairs<T> const& pairs) {
  check_vectors(where, "chosen", pairs.chosen);
  check_same_vectors(where, "rejected", pairs.rejected, pairs.chosen.rows(), pairs.chosen.columns());
  check_same_vectors(where, "user", pairs.user, pairs.chosen.rows(), pairs.chosen.columns());
  if (!(pairs.scale > 0) || !std::isfinite(pairs.scale)) {
    fail(where, "scale is " + text(pairs.scale) + ", expected a finite number > 0");
  }
}

/// |a - b|. Squares that would be out of double's range are taken of a - b divided by its largest component.
template <class T>
double distance_of(T const* a, T const* b, std::size_t dimension) noexcept {
  constexpr double lowest = 1e-140, highest = 1e140;
  double squares = 0, largest = 0;
  for (std::size_t i = 0; i < dimension; ++i) {
    double const off = static_cast<double>(a[i]) - static_cast<double>(b[i]);
    squares += off * off;
    largest = std::max(largest, std::abs(off));
  }
  bool const fits = largest >= lowest && largest <= highest;
  if (fits || largest == 0 || squares != squares || !std::isfinite(largest)) return std::sqrt(squares);
  squares = 0;
  for (std::size_t i = 0; i < dimension; ++i) {
    double const off = (static_cast<double>(a[i]) - static_cast<double>(b[i])) / largest;
    squares += off * off;
  }
  return largest * std::sqrt(squares);
}

}  // namespace detail

/// PAL's margin of each pair: by how much the chosen completion is nearer to the user's ideal point.
///     z = scale (|rejected - user| - |chosen - user|)
///     special   equal completions have 0, exactly; no other point than the three is in it: moved or turned together,
///               they have the same margin
///     sums      in double, rounded once
///     loss      bradley_terry of the margins against zeros; its d_chosen is d_margin. For PAL's hinge max(0, 1 - z):
///               hinge{.beta = 1}, zeros for the rest; its smooth one: smooth_hinge, as bradley_terry.
///               Weights: 1 / (pairs of the user). By the scale: sum d z / scale
///     throws    std::invalid_argument, before anything is written: shapes that differ, a scale out of range
///     source    Chen et al. 2024 (PAL), arXiv:2406.08469; the authors' code, loss_function.py
template <class T>
void distance_margins(distance_pairs<T> const& pairs, std::type_identity_t<output<T>> const& margin,
                      executor const& run = {}) {
  constexpr char const* where = "distance_margins";
  detail::check_distance(where, pairs);
  detail::check_vector_column(where, "margin", margin.size(), pairs.chosen.rows());
  std::size_t const dimension = pairs.chosen.columns();
  detail::for_each_in_parts(pairs.chosen.rows(), 64, run, [&](std::size_t row) noexcept {
    double const chosen = detail::distance_of(pairs.chosen[row], pairs.user[row], dimension);
    double const rejected = detail::distance_of(pairs.rejected[row], pairs.user[row], dimension);
    detail::put(margin, row, pairs.scale * (rejected - chosen));
  });
}

/// The gradients by the points, from d_margin, the gradient by each pair's margin:
///     d_chosen = -d scale (chosen - user) / |chosen - user|
///     d_rejected = d scale (rejected - user) / |rejected - user|
///     d_user = -(d_chosen + d_rejected), a row for each pair: the host adds up a user's
///     special   a distance of 0 adds nothing
///     throws    as distance_margins; and for outputs that overlap the points or each other
template <class T>
void distance_gradients(distance_pairs<T> const& pairs, std::type_identity_t<column<T>> const& d_margin,
                        std::type_identity_t<distance_gradient_outputs<T>> const& outputs,
                        gradient_write how = gradient_write::assign, executor const& run = {}) {
  constexpr char const* where = "distance_gradients";
  detail::check_distance(where, pairs);
  std::size_t const n = pairs.chosen.rows(), dimension = pairs.chosen.columns();
  detail::check_vector_column(where, "d_margin", d_margin.size(), n);
  detail::check_vector_targets<T>(where,
                                  {{"d_chosen", outputs.d_chosen, dimension},
                                   {"d_rejected", outputs.d_rejected, dimension},
                                   {"d_user", outputs.d_user, dimension}},
                                  {{"chosen", pairs.chosen}, {"rejected", pairs.rejected}, {"user", pairs.user}}, n);
  detail::for_each_in_parts(n, 64, run, [&](std::size_t row) noexcept {
    detail::vector_writer<T> const to_chosen{outputs.d_chosen, row, how}, to_rejected{outputs.d_rejected, row, how},
        to_user{outputs.d_user, row, how};
    T const *const v = pairs.chosen[row], *const w = pairs.rejected[row], *const u = pairs.user[row];
    double const d = static_cast<double>(d_margin[row]) * pairs.scale;
    double const near = detail::distance_of(v, u, dimension), far = detail::distance_of(w, u, dimension);
    for (std::size_t i = 0; i < dimension; ++i) {
      double const ideal = static_cast<double>(u[i]);
      double const of_chosen = near == 0 ? 0 : d * ((ideal - static_cast<double>(v[i])) / near);
      double const of_rejected = far == 0 ? 0 : d * ((static_cast<double>(w[i]) - ideal) / far);
      to_chosen.put(i, of_chosen);
      to_rejected.put(i, of_rejected);
      to_user.put(i, -(of_chosen + of_rejected));
    }
  });
}

}  // namespace prefopt::inline PREFOPT_ABI
