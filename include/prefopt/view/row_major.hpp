#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <prefopt/core/errors.hpp>
#include <prefopt/simd/half.hpp>
#include <prefopt/view/matrix.hpp>
#include <string>
#include <type_traits>

namespace prefopt::inline PREFOPT_ABI {

/// A view of rows of numbers, each row contiguous, the rows any stride apart (in elements): logits [tokens,
/// vocabulary], hidden states [tokens, width], weights [vocabulary, width]. U is float, double or a 16-bit type
/// (bfloat16, float16, or a host's own), const if it is only read. Made from {pointer, rows, columns[, row stride]},
/// from Eigen's row-major types or from what is like a std::mdspan of two dimensions.
template <class U>
  requires(detail::stored_number<std::remove_const_t<U>>)
class row_major {
 public:
  using value_type = std::remove_const_t<U>;

  constexpr row_major() = default;

  constexpr row_major(U* first, std::size_t rows, std::size_t columns) noexcept
      : row_major{first, rows, columns, static_cast<std::ptrdiff_t>(columns)} {}

  constexpr row_major(U* first, std::size_t rows, std::size_t columns, std::ptrdiff_t stride,
                      std::ptrdiff_t column_stride = 1) noexcept
      : first_{first}, rows_{rows}, columns_{columns}, stride_{stride}, column_stride_{column_stride} {}

  /// A matrix whose rows are not contiguous is refused by the function that it is given to.
  template <detail::viewable_matrix M>
    requires(std::convertible_to<decltype(std::declval<M&>().data()), U*>)
  constexpr row_major(M&& dense) noexcept
      : row_major{dense.data(), static_cast<std::size_t>(dense.rows()), static_cast<std::size_t>(dense.cols()),
                  static_cast<std::ptrdiff_t>(dense.rowStride())} {
    column_stride_ = static_cast<std::ptrdiff_t>(dense.colStride());
  }

  template <detail::viewable_mdspan<2> M>
    requires(std::convertible_to<detail::mdspan_pointer<M>, U*>)
  constexpr row_major(M&& view) noexcept
      : row_major{detail::mdspan_first(view), detail::mdspan_extent(view, 0), detail::mdspan_extent(view, 1),
                  detail::mdspan_stride(view, 0)} {
    column_stride_ = detail::mdspan_stride(view, 1);
  }

  /// Read-only of writable.
  template <std::same_as<value_type> W>
    requires(std::is_const_v<U>)
  constexpr row_major(row_major<W> const& other) noexcept
      : row_major{other.data(), other.rows(), other.columns(), other.stride()} {
    column_stride_ = other.column_stride();
  }

  [[nodiscard]] constexpr U* data() const noexcept { return first_; }
  [[nodiscard]] constexpr std::size_t rows() const noexcept { return rows_; }
  [[nodiscard]] constexpr std::size_t columns() const noexcept { return columns_; }
  [[nodiscard]] constexpr std::ptrdiff_t stride() const noexcept { return stride_; }
  [[nodiscard]] constexpr std::ptrdiff_t column_stride() const noexcept { return column_stride_; }
  [[nodiscard]] constexpr bool given() const noexcept { return first_ != nullptr; }

  [[nodiscard]] constexpr U* operator[](std::size_t row) const noexcept {
    return first_ + static_cast<std::ptrdiff_t>(row) * stride_;
  }

  /// `count` rows from `begin` on.
  [[nodiscard]] constexpr row_major rows_from(std::size_t begin, std::size_t count) const noexcept {
    return {(*this)[begin], count, columns_, stride_};
  }

 private:
  U* first_ = nullptr;
  std::size_t rows_ = 0, columns_ = 0;
  std::ptrdiff_t stride_ = 0, column_stride_ = 1;
};

template <detail::viewable_matrix M>
row_major(M&&) -> row_major<std::remove_pointer_t<decltype(std::declval<M&>().data())>>;

template <detail::viewable_mdspan<2> M>
row_major(M&&) -> row_major<std::remove_pointer_t<detail::mdspan_pointer<M>>>;

namespace detail {

template <class U>
std::string shape(row_major<U> const& m) {
  return text(m.rows()) + " x " + text(m.columns());
}

template <class U>
void check_rows(std::string_view where, std::string const& name, row_major<U> const& m) {
  if (m.columns() > 1 && m.column_stride() != 1) {
    fail(where, name + " has a column stride of " + std::to_string(m.column_stride()) +
                    ", expected rows that are contiguous (row-major)");
  }
}

/// The first byte of a view's memory and the one behind its last.
template <class U>
std::pair<char const*, char const*> extent(row_major<U> const& m) noexcept {
  if (m.rows() == 0 || m.columns() == 0) return {nullptr, nullptr};
  auto const* first = reinterpret_cast<char const*>(m.data());
  auto const* last = reinterpret_cast<char const*>(m[m.rows() - 1]);
  if (m.stride() < 0) std::swap(first, last);
  return {first, last + m.columns() * sizeof(U)};
}

/// Of a target: rows that are contiguous and apart, and the shape `rows` x `columns`.
template <class U>
void check_target(std::string_view where, std::string const& name, row_major<U> const& m, std::size_t rows,
                  std::size_t columns, std::string const& like) {
  check_rows(where, name, m);
  if (m.rows() != rows || m.columns() != columns) {
    fail(where, name + " is " + shape(m) + ", " + like + " is " + text(rows) + " x " + text(columns));
  }
  std::ptrdiff_t const apart = m.stride() < 0 ? -m.stride() : m.stride();
  if (rows > 1 && static_cast<std::size_t>(apart) < columns) {
    fail(where, "the rows of " + name + " overlap: row stride " + std::to_string(m.stride()) + ", " + text(columns) +
                    " columns");
  }
}

/// Bytes from one row to the next; 0: there is no next one.
template <class U>
std::uintptr_t bytes_between_rows(row_major<U> const& m) noexcept {
  auto const distance = static_cast<std::uintptr_t>(m.stride() < 0 ? -m.stride() : m.stride()) * sizeof(U);
  return m.rows() < 2 ? 0 : distance;
}

/// False if no byte belongs to both: they lie apart, or the rows of each between those of the other, the same distance
/// apart. Of rows at other distances true if what they span does.
template <class U, class W>
bool overlap(row_major<U> const& a, row_major<W> const& b) noexcept {
  auto const [a_first, a_last] = extent(a);
  auto const [b_first, b_last] = extent(b);
  std::less<char const*> const before;
  if (!before(a_first, b_last) || !before(b_first, a_last)) return false;
  std::uintptr_t const of_a = bytes_between_rows(a), of_b = bytes_between_rows(b), distance = std::max(of_a, of_b);
  if (distance == 0 || (of_a != of_b && of_a != 0 && of_b != 0)) return true;
  auto const a_at = reinterpret_cast<std::uintptr_t>(a_first), b_at = reinterpret_cast<std::uintptr_t>(b_first);
  std::uintptr_t const behind =
      a_at <= b_at ? (b_at - a_at) % distance : (distance - (a_at - b_at) % distance) % distance;
  return behind < a.columns() * sizeof(U) || behind + b.columns() * sizeof(W) > distance;
}

}  // namespace detail
}  // namespace prefopt::inline PREFOPT_ABI
