#pragma once

#include <concepts>
#include <cstddef>
#include <prefopt/logprob/matrix_product.hpp>
#include <vector>

// Matrix products as a host might write them: plain loops.

template <class U, class T>
void multiply_plainly(prefopt::matrix_factor<U> const& a, prefopt::matrix_factor<U> const& b,
                      prefopt::row_major<T> const& c, bool accumulate) {
  auto const at = [](prefopt::matrix_factor<U> const& m, std::size_t row, std::size_t column) {
    return prefopt::detail::load_number(m.transposed ? m.stored[column] + row : m.stored[row] + column);
  };
  for (std::size_t i = 0; i < c.rows(); ++i) {
    for (std::size_t j = 0; j < c.columns(); ++j) {
      T sum = accumulate ? c[i][j] : T(0);
      for (std::size_t k = 0; k < a.columns(); ++k) sum += static_cast<T>(at(a, i, k)) * static_cast<T>(at(b, k, j));
      c[i][j] = sum;
    }
  }
}

/// Takes what it computes in and nothing else.
template <class T>
struct plain_product {
  void operator()(prefopt::matrix_factor<T> const& a, prefopt::matrix_factor<T> const& b,
                  prefopt::row_major<T> const& c, bool accumulate) const {
    multiply_plainly(a, b, c, accumulate);
  }
};

/// Takes 16-bit factors.
template <class U>
struct plain_half_product {
  void operator()(prefopt::matrix_factor<U> const& a, prefopt::matrix_factor<U> const& b,
                  prefopt::row_major<float> const& c, bool accumulate) const {
    multiply_plainly(a, b, c, accumulate);
  }
};
