#pragma once

#include <cstddef>
#include <prefopt/core/abi.hpp>

namespace PREFOPT_KERNELS {

/// What becomes of a row's logits x before the softmax: factor v, where v is x, or tanh(inner x) if capped.
struct row_transform {
  enum class kinds { none, scaled, capped } kind = kinds::none;
  double factor = 1;  ///< 1 if none
  double inner = 1;   ///< 1 unless capped
};

/// The distribution that a row of logits makes: p_j = exp(factor (v_j - reference)) / exp(log_sum).
template <class T>
struct row_softmax {
  /// The highest v, or somewhat below, at least the lowest finite number: so -inf has probability 0 in every row.
  T reference;
  double log_sum;
};

/// What is known of a row when it has been read.
template <class T>
struct row_result {
  row_softmax<T> softmax;
  double log_prob, log_sum_exp, entropy, square_sum;
  double label_slope;  ///< of what becomes of the label's logit, by the logit
  bool highest;        ///< no logit is above the label's
};

/// The gradient of a loss by what is known of a row.
struct row_slopes {
  double log_prob = 0;
  double entropy = 0;
  double entropy_value = 0;  ///< the row's entropy; matters if the slope by it is not 0

  [[nodiscard]] bool none() const noexcept { return log_prob == 0 && entropy == 0; }
};

/// Kernels on rows of stored numbers of one type, computed in T.
template <class T>
struct row_kernels {
  std::size_t bytes;  ///< of a stored number
  using reading = void (*)(void const* row, std::size_t size, std::size_t label, row_transform const&,
                           row_result<T>&) noexcept;
  reading read, read_statistics;
  using writing = void (*)(void const* row, std::size_t size, std::size_t label, row_transform const&,
                           row_softmax<T> const&, row_slopes const&, void* target) noexcept;
  writing assign_gradient, add_gradient;
};

/// The same for a row that is read and written while its powers are at hand, see read_row.
template <class T>
struct kept_row_kernels {
  using reading = void (*)(void const* row, std::size_t size, std::size_t label, row_transform const&, T* kept,
                           T* references, row_result<T>&) noexcept;
  reading read, read_statistics;
  void (*scale)(T const* kept, std::size_t size, std::size_t label, row_transform const&, row_result<T> const&,
                double d, T const* references, void* target) noexcept;
};

/// Rounds numbers to a stored type.
template <class T>
using rounding_kernel = void (*)(T const* from, std::size_t count, void* to) noexcept;

}  // namespace PREFOPT_KERNELS
