#pragma once

#include <cstddef>
#include <prefopt/core/abi.hpp>

namespace PREFOPT_KERNELS {

/// The distribution that a row of logits makes: p_j = exp(x_j - reference) / exp(log_sum).
template <class T>
struct row_softmax {
  /// The highest logit, at least the lowest finite number: so -inf has probability 0 in every row.
  T reference;
  double log_sum;
};

/// What is known of a row when it has been read.
template <class T>
struct row_result {
  row_softmax<T> softmax;
  double log_prob, entropy, square_sum;
  bool highest;  ///< no logit is above the label's
};

/// Kernels on rows of stored numbers of one type, computed in T.
template <class T>
struct row_kernels {
  std::size_t bytes;  ///< of a stored number
  using reading = void (*)(void const* row, std::size_t size, std::size_t label, row_result<T>&) noexcept;
  reading read, read_statistics;
  using writing = void (*)(void const* row, std::size_t size, std::size_t label, row_softmax<T> const&, double d,
                           void* target) noexcept;
  writing assign_gradient, add_gradient;
};

/// The same for a row that is read and written while its powers are at hand, see read_row.
template <class T>
struct kept_row_kernels {
  using reading = void (*)(void const* row, std::size_t size, std::size_t label, T* kept, T* references,
                           row_result<T>&) noexcept;
  reading read, read_statistics;
  void (*scale)(T const* kept, std::size_t size, std::size_t label, row_result<T> const&, double d, T const* references,
                void* target) noexcept;
};

/// Rounds numbers to a stored type.
template <class T>
using rounding_kernel = void (*)(T const* from, std::size_t count, void* to) noexcept;

}  // namespace PREFOPT_KERNELS
