#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <prefopt/batch/options.hpp>
#include <prefopt/core/parts.hpp>
#include <prefopt/vectors/vector_rows.hpp>
#include <prefopt/view/column.hpp>
#include <prefopt/view/row_major.hpp>
#include <type_traits>

namespace prefopt::inline PREFOPT_ABI {

/// Normal distributions with independent components, one a row: of each user's latent in VPL. T: float or double.
template <class T>
struct gaussian_rows {
  row_major<T const> mean{}, log_variance{};  ///< [n, dimension]
  /// >= 0; a log-variance outside [-limit, limit] counts as the bound, and gets no gradient. VPL: 1.
  double limit = std::numeric_limits<double>::infinity();
};

/// Where gradients go, [n, dimension] each, or left out.
template <class T>
struct gaussian_gradient_outputs {
  row_major<T> d_mean{}, d_log_variance{};
};

namespace detail {

template <class T>
void check_gaussian(char const* where, gaussian_rows<T> const& rows) {
  check_vectors(where, "mean", rows.mean);
  check_same_vectors(where, "log_variance", rows.log_variance, rows.mean.rows(), rows.mean.columns());
  if (!(rows.limit >= 0)) fail(where, "limit is " + text(rows.limit) + ", expected a number >= 0");
}

/// e^v - 1 - v, which near 0 is v^2 / 2 + v^3 / 6 + ...
inline double exponential_beyond_tangent(double v) noexcept {
  if (!(std::abs(v) < 1)) return v > 0 && std::isinf(v) ? v : std::expm1(v) - v;
  double sum = 1;
  for (int k = 19; k >= 3; --k) sum = 1 + v / k * sum;
  return 0.5 * v * v * sum;
}

}  // namespace detail

/// KL(N(mean, e^log_variance) || N(0, 1)) of each row, in nats: what VPL adds to bradley_terry, with a weight of 0.01.
///     KL = 1/2 sum_i (mean_i^2 + (e^v_i - 1 - v_i)),  v = log_variance
///     special   mean 0 and v 0 give 0; >= 0; v = +-inf gives +inf, without a limit
///     error     a few ULP, of the sum in double: the bracket does not cancel
///     throws    std::invalid_argument, before anything is written: shapes that differ, a limit below 0
///     source    Poddar et al. 2024 (VPL), arXiv:2408.10075, its code
template <class T>
void gaussian_kl(gaussian_rows<T> const& rows, std::type_identity_t<output<T>> const& kl, executor const& run = {}) {
  constexpr char const* where = "gaussian_kl";
  detail::check_gaussian(where, rows);
  detail::check_vector_column(where, "kl", kl.size(), rows.mean.rows());
  detail::for_each_in_parts(rows.mean.rows(), 64, run, [&](std::size_t row) noexcept {
    T const *const mean = rows.mean[row], *const log_variance = rows.log_variance[row];
    double sum = 0;
    for (std::size_t i = 0; i < rows.mean.columns(); ++i) {
      double const m = static_cast<double>(mean[i]), v = static_cast<double>(log_variance[i]);
      sum += m * m + detail::exponential_beyond_tangent(std::clamp(v, -rows.limit, rows.limit));
    }
    detail::put(kl, row, 0.5 * sum);
  });
}

/// The gradients, from d_kl, the gradient by each row's KL:
///     d_mean = d mean,  d_log_variance = d (e^v - 1) / 2, 0 outside the limit
///     throws    as gaussian_kl; and for outputs that overlap the rows or each other
template <class T>
void gaussian_kl_gradients(gaussian_rows<T> const& rows, std::type_identity_t<column<T>> const& d_kl,
                           std::type_identity_t<gaussian_gradient_outputs<T>> const& outputs,
                           gradient_write how = gradient_write::assign, executor const& run = {}) {
  constexpr char const* where = "gaussian_kl_gradients";
  detail::check_gaussian(where, rows);
  std::size_t const n = rows.mean.rows(), dimension = rows.mean.columns();
  detail::check_vector_column(where, "d_kl", d_kl.size(), n);
  detail::check_vector_targets<T>(
      where, {{"d_mean", outputs.d_mean, dimension}, {"d_log_variance", outputs.d_log_variance, dimension}},
      {{"mean", rows.mean}, {"log_variance", rows.log_variance}}, n);
  detail::for_each_in_parts(n, 64, run, [&](std::size_t row) noexcept {
    detail::vector_writer<T> const to_mean{outputs.d_mean, row, how}, to_variance{outputs.d_log_variance, row, how};
    T const *const mean = rows.mean[row], *const log_variance = rows.log_variance[row];
    double const d = static_cast<double>(d_kl[row]);
    for (std::size_t i = 0; i < dimension; ++i) {
      double const v = static_cast<double>(log_variance[i]);
      to_mean.put(i, d * static_cast<double>(mean[i]));
      to_variance.put(i, std::abs(v) > rows.limit ? 0 : d * 0.5 * std::expm1(v));
    }
  });
}

}  // namespace prefopt::inline PREFOPT_ABI
