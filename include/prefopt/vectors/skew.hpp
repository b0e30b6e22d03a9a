#pragma once

#include <cstddef>
#include <prefopt/batch/options.hpp>
#include <prefopt/core/parts.hpp>
#include <prefopt/vectors/vector_rows.hpp>
#include <prefopt/view/column.hpp>
#include <prefopt/view/row_major.hpp>
#include <type_traits>

namespace prefopt::inline PREFOPT_ABI {

/// Completions as vectors of an even dimension 2k, a pair a row, for the general preference model. T: float or double.
template <class T>
struct skew_pairs {
  row_major<T const> chosen{}, rejected{};  ///< [n, 2k]
  row_major<T const> block_scale{};         ///< [n, k], of the prompt, usually >= 0; not given: 1. A row stride of 0
                                            ///< is one for all
};

/// Where gradients go, each of the shape of what it is by, or left out.
template <class T>
struct skew_gradient_outputs {
  row_major<T> d_chosen{}, d_rejected{}, d_block_scale{};
};

namespace detail {

template <class T>
void check_skew(char const* where, skew_pairs<T> const& pairs) {
  check_vectors(where, "chosen", pairs.chosen);
  check_same_vectors(where, "rejected", pairs.rejected, pairs.chosen.rows(), pairs.chosen.columns());
  if (pairs.chosen.columns() % 2 != 0) {
    fail(where, "vectors of dimension " + text(pairs.chosen.columns()) + ", expected an even one");
  }
  if (!pairs.block_scale.given()) return;
  check_same_vectors(where, "block_scale", pairs.block_scale, pairs.chosen.rows(), pairs.chosen.columns() / 2);
}

}  // namespace detail

/// The general preference model's margin of each pair, skew-symmetric in its two sides: it can tell cyclic preferences.
///     s = sum_i c_i (chosen[2i] rejected[2i + 1] - chosen[2i + 1] rejected[2i]),  c = block_scale or 1
///     special   s(v, v) = 0 and s(v, w) = -s(w, v), exactly; a NaN gives NaN, an infinity one, or NaN
///     sums      in double, rounded once
///     loss      bradley_terry of the margins against zeros, {.temperature = tau}, tau 0.1; its d_chosen is d_margin. A
///               `margin` column is subtracted before tau; any other loss of a difference goes as well
///     throws    std::invalid_argument, before anything is written: shapes that differ, an odd dimension
///     source    Zhang et al. 2024, arXiv:2410.02197; the authors' code, loss.py: the sign is its rotation's
template <class T>
void skew_margins(skew_pairs<T> const& pairs, std::type_identity_t<output<T>> const& margin, executor const& run = {}) {
  constexpr char const* where = "skew_margins";
  detail::check_skew(where, pairs);
  detail::check_vector_column(where, "margin", margin.size(), pairs.chosen.rows());
  std::size_t const blocks = pairs.chosen.columns() / 2;
  detail::for_each_in_parts(pairs.chosen.rows(), 64, run, [&](std::size_t row) noexcept {
    T const *const v = pairs.chosen[row], *const w = pairs.rejected[row];
    T const* const c = pairs.block_scale.given() ? pairs.block_scale[row] : nullptr;
    // Two sums that are alike: however they are rounded, their difference is 0 for equal vectors, and changes its sign
    // with the sides.
    double with = 0, against = 0;
    for (std::size_t i = 0; i < blocks; ++i) {
      double const scale = c == nullptr ? 1 : static_cast<double>(c[i]);
      with += scale * (static_cast<double>(v[2 * i]) * static_cast<double>(w[2 * i + 1]));
      against += scale * (static_cast<double>(w[2 * i]) * static_cast<double>(v[2 * i + 1]));
    }
    detail::put(margin, row, with - against);
  });
}

/// The gradients by the vectors, from d_margin, the gradient by each pair's margin:
///     d_chosen[2i] = d c_i rejected[2i + 1],   d_chosen[2i + 1] = -d c_i rejected[2i]
///     d_rejected[2i] = -d c_i chosen[2i + 1],  d_rejected[2i + 1] = d c_i chosen[2i]
///     d_block_scale[i] = d (chosen[2i] rejected[2i + 1] - chosen[2i + 1] rejected[2i])
///     throws    as skew_margins; and for outputs that overlap the vectors or each other
template <class T>
void skew_gradients(skew_pairs<T> const& pairs, std::type_identity_t<column<T>> const& d_margin,
                    std::type_identity_t<skew_gradient_outputs<T>> const& outputs,
                    gradient_write how = gradient_write::assign, executor const& run = {}) {
  constexpr char const* where = "skew_gradients";
  detail::check_skew(where, pairs);
  std::size_t const n = pairs.chosen.rows(), blocks = pairs.chosen.columns() / 2;
  detail::check_vector_column(where, "d_margin", d_margin.size(), n);
  detail::check_vector_targets<T>(
      where,
      {{"d_chosen", outputs.d_chosen, 2 * blocks},
       {"d_rejected", outputs.d_rejected, 2 * blocks},
       {"d_block_scale", outputs.d_block_scale, blocks}},
      {{"chosen", pairs.chosen}, {"rejected", pairs.rejected}, {"block_scale", pairs.block_scale}}, n);
  if (outputs.d_block_scale.given() && !pairs.block_scale.given()) {
    detail::fail(where, "d_block_scale is given, but block_scale is not");
  }
  detail::for_each_in_parts(n, 64, run, [&](std::size_t row) noexcept {
    detail::vector_writer<T> const to_chosen{outputs.d_chosen, row, how}, to_rejected{outputs.d_rejected, row, how},
        to_scale{outputs.d_block_scale, row, how};
    T const *const v = pairs.chosen[row], *const w = pairs.rejected[row];
    T const* const c = pairs.block_scale.given() ? pairs.block_scale[row] : nullptr;
    double const d = static_cast<double>(d_margin[row]);
    for (std::size_t i = 0; i < blocks; ++i) {
      double const scaled = c == nullptr ? d : d * static_cast<double>(c[i]);
      double const v0 = static_cast<double>(v[2 * i]), v1 = static_cast<double>(v[2 * i + 1]);
      double const w0 = static_cast<double>(w[2 * i]), w1 = static_cast<double>(w[2 * i + 1]);
      to_chosen.put(2 * i, scaled * w1);
      to_chosen.put(2 * i + 1, -(scaled * w0));
      to_rejected.put(2 * i, -(scaled * v1));
      to_rejected.put(2 * i + 1, scaled * v0);
      double const with = v0 * w1, against = w0 * v1;
      to_scale.put(i, d * (with - against));
    }
  });
}

}  // namespace prefopt::inline PREFOPT_ABI
