#pragma once

#include <cblas.h>

#include <algorithm>
#include <concepts>
#include <limits>
#include <prefopt/core/errors.hpp>
#include <prefopt/logprob/matrix_product.hpp>
#include <string>
#include <utility>

namespace prefopt::inline PREFOPT_ABI {

/// Matrix products by the BLAS that the program links, in float and double. Many a BLAS has threads of its own;
/// together with an executor, give it one (OPENBLAS_NUM_THREADS=1). Rows must be in order and apart.
struct cblas_product {
  template <class T>
    requires(std::same_as<T, float> || std::same_as<T, double>)
  void operator()(matrix_factor<T> const& a, matrix_factor<T> const& b, row_major<T> const& c, bool accumulate) const {
    auto const integer = [](auto x) {
      if (!std::in_range<int>(x)) {
        detail::fail("cblas_product", "a size or stride is " + std::to_string(x) + ", BLAS takes up to " +
                                          std::to_string(std::numeric_limits<int>::max()));
      }
      return static_cast<int>(x);
    };
    // A BLAS wants row strides of at least the row's length, even where there is but one row.
    auto const stride = [&](auto const& m) { return std::max(integer(m.stride()), integer(m.columns())); };
    auto const form = [](bool transposed) { return transposed ? CblasTrans : CblasNoTrans; };
    auto const call = [&](auto gemm) {
      gemm(CblasRowMajor, form(a.transposed), form(b.transposed), integer(c.rows()), integer(c.columns()),
           integer(a.columns()), T(1), a.stored.data(), stride(a.stored), b.stored.data(), stride(b.stored),
           accumulate ? T(1) : T(0), c.data(), stride(c));
    };
    if constexpr (std::same_as<T, float>) {
      call(cblas_sgemm);
    } else {
      call(cblas_dgemm);
    }
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
