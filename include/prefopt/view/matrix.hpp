#pragma once

#include <cstddef>
#include <prefopt/view/column.hpp>

namespace prefopt::inline PREFOPT_ABI {
namespace detail {

/// A two-dimensional array with both strides, by shape: Eigen's Matrix, Array, Map, Ref, Block.
template <class M>
concept strided_matrix = requires(M& matrix) {
  *matrix.data();
  matrix.rows();
  matrix.cols();
  matrix.rowStride();
  matrix.colStride();
};

template <class M>
concept viewable_matrix = strided_matrix<M> &&
    (std::is_lvalue_reference_v<M> || (!owning_vector<M> && std::is_trivially_destructible_v<std::remove_cvref_t<M>>));

}  // namespace detail

/// A read-only view of rows of numbers that are, or convert to, T, with any strides (in elements): each row is a
/// column. Made implicitly from Eigen's dense types of either storage order, from what is like a std::mdspan of two
/// dimensions, or from {pointer, rows, columns, strides}.
template <class T>
class matrix {
 public:
  constexpr matrix() = default;

  /// Row-major without gaps unless strides are given.
  template <detail::column_value<T> U>
  constexpr matrix(U const* first, std::size_t rows, std::size_t columns) noexcept
      : matrix{first, rows, columns, static_cast<std::ptrdiff_t>(columns)} {}

  template <detail::column_value<T> U>
  constexpr matrix(U const* first, std::size_t rows, std::size_t columns, std::ptrdiff_t row_stride,
                   std::ptrdiff_t column_stride = 1) noexcept
      : first_{first},
        rows_{rows},
        columns_{columns},
        row_stride_{row_stride},
        column_stride_{column_stride},
        row_{[](void const* data, std::ptrdiff_t begin, std::size_t size, std::ptrdiff_t stride) noexcept {
          return column<T>{static_cast<U const*>(data) + begin, size, stride};
        }} {}

  template <detail::viewable_matrix M>
    requires(detail::column_value<detail::element_of<M>, T>)
  constexpr matrix(M&& dense) noexcept
      : matrix{dense.data(), static_cast<std::size_t>(dense.rows()), static_cast<std::size_t>(dense.cols()),
               static_cast<std::ptrdiff_t>(dense.rowStride()), static_cast<std::ptrdiff_t>(dense.colStride())} {}

  template <detail::viewable_mdspan<2> M>
    requires(detail::column_value<detail::mdspan_element<M>, T>)
  constexpr matrix(M&& view) noexcept
      : matrix{detail::mdspan_first(view), detail::mdspan_extent(view, 0), detail::mdspan_extent(view, 1),
               detail::mdspan_stride(view, 0), detail::mdspan_stride(view, 1)} {}

  [[nodiscard]] constexpr std::size_t rows() const noexcept { return rows_; }
  [[nodiscard]] constexpr std::size_t columns() const noexcept { return columns_; }
  [[nodiscard]] constexpr bool given() const noexcept { return row_ != nullptr; }

  [[nodiscard]] column<T> operator[](std::size_t row) const noexcept {
    if (!given()) return {};
    return row_(first_, static_cast<std::ptrdiff_t>(row) * row_stride_, columns_, column_stride_);
  }

 private:
  void const* first_ = nullptr;
  std::size_t rows_ = 0, columns_ = 0;
  std::ptrdiff_t row_stride_ = 0, column_stride_ = 1;
  column<T> (*row_)(void const*, std::ptrdiff_t, std::size_t, std::ptrdiff_t) noexcept = nullptr;
};

/// The same to be written to.
template <class T>
class output_matrix {
 public:
  constexpr output_matrix() = default;

  constexpr output_matrix(T* first, std::size_t rows, std::size_t columns) noexcept
      : output_matrix{first, rows, columns, static_cast<std::ptrdiff_t>(columns)} {}

  constexpr output_matrix(T* first, std::size_t rows, std::size_t columns, std::ptrdiff_t row_stride,
                          std::ptrdiff_t column_stride = 1) noexcept
      : first_{first}, rows_{rows}, columns_{columns}, row_stride_{row_stride}, column_stride_{column_stride} {}

  template <detail::viewable_matrix M>
    requires(std::convertible_to<decltype(std::declval<M&>().data()), T*>)
  constexpr output_matrix(M&& dense) noexcept
      : output_matrix{dense.data(), static_cast<std::size_t>(dense.rows()), static_cast<std::size_t>(dense.cols()),
                      static_cast<std::ptrdiff_t>(dense.rowStride()), static_cast<std::ptrdiff_t>(dense.colStride())} {}

  template <detail::viewable_mdspan<2> M>
    requires(std::convertible_to<detail::mdspan_pointer<M>, T*>)
  constexpr output_matrix(M&& view) noexcept
      : output_matrix{detail::mdspan_first(view), detail::mdspan_extent(view, 0), detail::mdspan_extent(view, 1),
                      detail::mdspan_stride(view, 0), detail::mdspan_stride(view, 1)} {}

  [[nodiscard]] constexpr std::size_t rows() const noexcept { return rows_; }
  [[nodiscard]] constexpr std::size_t columns() const noexcept { return columns_; }
  [[nodiscard]] constexpr bool given() const noexcept { return first_ != nullptr; }

  [[nodiscard]] output<T> operator[](std::size_t row) const noexcept {
    return {first_ + static_cast<std::ptrdiff_t>(row) * row_stride_, columns_, column_stride_};
  }

 private:
  T* first_ = nullptr;
  std::size_t rows_ = 0, columns_ = 0;
  std::ptrdiff_t row_stride_ = 0, column_stride_ = 1;
};

}  // namespace prefopt::inline PREFOPT_ABI
