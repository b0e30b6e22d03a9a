#pragma once

#include <concepts>
#include <cstddef>
#include <prefopt/logprob/matrix_product.hpp>
#include <vector>

// Matrix products as a host might write them: plain loops.

template <class U, class T>
void multiply_plainly(prefopt::matrix_factor<U> const& a, prefopt::matrix_factor<U> const& b,
                      prefopt::row_major<T> const& c, bool accumulate) {
  // Where a row or a column of a factor begins, and how far apart its elements lie: cheap without optimization, too.
  auto const row = [](prefopt::matrix_factor<U> const& m, std::size_t i) {
    return m.transposed ? m.stored[0] + i : m.stored[i];
  };
  auto const column = [](prefopt::matrix_factor<U> const& m, std::size_t j) {
    return m.transposed ? m.stored[j] : m.stored[0] + j;
  };
  std::ptrdiff_t const along_row = a.transposed ? a.stored.stride() : 1,
                       along_column = b.transposed ? 1 : b.stored.stride();
  for (std::size_t i = 0; i < c.rows(); ++i) {
    for (std::size_t j = 0; j < c.columns(); ++j) {
      T sum = accumulate ? c[i][j] : T(0);
      U const *const x = row(a, i), *const y = column(b, j);
      auto const inner = static_cast<std::ptrdiff_t>(a.columns());
      for (std::ptrdiff_t k = 0; k < inner; ++k) {
        sum += static_cast<T>(prefopt::detail::load_number(x + k * along_row)) *
               static_cast<T>(prefopt::detail::load_number(y + k * along_column));
      }
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
