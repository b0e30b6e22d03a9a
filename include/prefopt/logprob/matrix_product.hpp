#pragma once

#include <concepts>
#include <cstddef>
#include <cstring>
#include <prefopt/simd/half.hpp>
#include <prefopt/view/row_major.hpp>
#include <type_traits>

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
concept matrix_product = requires(P const& product, matrix_factor<A> const& a, matrix_factor<B> const& b,
                                  row_major<T> const& c, bool accumulate) {
  product(a, b, c, accumulate);
};

namespace detail {

/// Some columns of rows.
template <class W>
row_major<W> columns_of(row_major<W> const& m, std::size_t begin, std::size_t count) noexcept {
  return {m.data() + begin, m.rows(), count, m.stride()};
}

/// Factors are multiplied as they are stored if the product takes them, and else as T.
template <class Product, class U>
using factor_of = std::conditional_t<matrix_product<Product, storage_of<U>, storage_of<U>, computed_of<U>>,
                                     storage_of<U>, computed_of<U>>;

/// Stored numbers as factors.
template <class U, class F>
void copy_factors(U const* from, std::size_t count, F* to) noexcept {
  if constexpr (std::same_as<U, F>) {
    if (count != 0) std::memcpy(static_cast<void*>(to), static_cast<void const*>(from), count * sizeof(U));
  } else {
    for (std::size_t i = 0; i < count; ++i) store_number(load_number(from + i), to + i);
  }
}

/// A product of factors of F without its type; refers to it.
template <class F, class T>
class product_ref {
 public:
  template <class Product>
  explicit product_ref(Product const& product) noexcept
      : product_{&product},
        call_{[](void const* function, matrix_factor<F> const& a, matrix_factor<F> const& b, row_major<T> const& c,
                 bool accumulate) { (*static_cast<Product const*>(function))(a, b, c, accumulate); }} {
    static_assert(matrix_product<Product, F, F, T>, "the product does not multiply this type");
  }

  void operator()(matrix_factor<F> const& a, matrix_factor<F> const& b, row_major<T> const& c, bool accumulate) const {
    call_(product_, a, b, c, accumulate);
  }

 private:
  void const* product_;
  void (*call_)(void const*, matrix_factor<F> const&, matrix_factor<F> const&, row_major<T> const&, bool);
};

}  // namespace detail
}  // namespace prefopt::inline PREFOPT_ABI
