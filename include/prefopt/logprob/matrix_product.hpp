#pragma once

#include <concepts>
#include <cstddef>
#include <prefopt/view/row_major.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// One factor of a matrix product: rows as they are stored, or the transpose of them.
template <class U>
struct matrix_factor {
  row_major<U const> stored{};
  bool transposed = false;

  [[nodiscard]] std::size_t rows() const noexcept { return transposed ? stored.columns() : stored.rows(); }
  [[nodiscard]] std::size_t columns() const noexcept { return transposed ? stored.rows() : stored.columns(); }
};

/// What multiplies matrices: product(a, b, c, accumulate) sets c = a b, or c += a b, with sums in T. Must give the same
/// bits for the same call, and may be called from several threads at once.
template <class P, class A, class B, class T>
concept matrix_product = std::invocable < P const&,
        matrix_factor<A>
const&, matrix_factor<B> const&, row_major<T> const&, bool > ;

}  // namespace prefopt::inline PREFOPT_ABI
