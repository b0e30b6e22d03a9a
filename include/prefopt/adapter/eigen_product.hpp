#pragma once

#include <Eigen/Core>
#include <cstddef>
#include <prefopt/logprob/matrix_product.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// Matrix products by Eigen, in float and double.
struct eigen_product {
  template <class T>
    requires(std::floating_point<T>)
  void operator()(matrix_factor<T> const& a, matrix_factor<T> const& b, row_major<T> const& c, bool accumulate) const {
    auto const left = view(a.stored), right = view(b.stored);
    auto result = view(c);
    auto const multiply = [&](auto const& x, auto const& y) {
      if (accumulate) {
        result.noalias() += x * y;
      } else {
        result.noalias() = x * y;
      }
    };
    if (a.transposed && b.transposed) {
      multiply(left.transpose(), right.transpose());
    } else if (a.transposed) {
      multiply(left.transpose(), right);
    } else if (b.transposed) {
      multiply(left, right.transpose());
    } else {
      multiply(left, right);
    }
  }

 private:
  template <class U>
  static auto view(row_major<U> const& m) {
    using dense = Eigen::Matrix<std::remove_const_t<U>, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    using viewed = std::conditional_t<std::is_const_v<U>, dense const, dense>;
    return Eigen::Map<viewed, Eigen::Unaligned, Eigen::OuterStride<>>(m.data(), static_cast<Eigen::Index>(m.rows()),
                                                                      static_cast<Eigen::Index>(m.columns()),
                                                                      Eigen::OuterStride<>(m.stride()));
  }
};

}  // namespace prefopt::inline PREFOPT_ABI
