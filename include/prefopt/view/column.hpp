#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <limits>
#include <prefopt/core/abi.hpp>
#include <ranges>
#include <type_traits>
#include <vector>

namespace PREFOPT_KERNELS {

/// Where the values of a column lie, as kernels of every instruction set see it.
template <class T>
struct column_memory {
  void const* first;
  std::size_t size;
  std::ptrdiff_t stride;
  /// Null where the values are contiguous T.
  void (*pack)(void const*, std::ptrdiff_t, std::size_t, std::size_t, T*) noexcept;
  bool is_given;
};

/// The same of an output.
template <class T>
struct output_memory {
  T* first;
  std::size_t size;
  std::ptrdiff_t stride;
};

}  // namespace PREFOPT_KERNELS

namespace prefopt::inline PREFOPT_ABI {
namespace detail {

template <class U, class T>
concept narrower_float = std::floating_point<U> && std::floating_point<T> &&
    (std::numeric_limits<U>::digits < std::numeric_limits<T>::digits);

template <class U, class T>
concept half_class = std::floating_point<T> && std::is_class_v<U> && sizeof(U) == 2 && requires(U const value) {
  static_cast<float>(value);
};

/// A value that becomes a T without losing more than an integer's or a half type's natural rounding: T itself,
/// a narrower float, an integer (lengths, labels), a 16-bit class type with a conversion to float (bfloat16, float16).
template <class U, class T>
concept column_value = std::same_as<U, T> || std::integral<U> || narrower_float<U, T> || half_class<U, T>;

/// A one-dimensional vector with an inner stride, by shape: Eigen's Map, Ref, Block, Array and Matrix vectors.
template <class V>
concept strided_vector = requires(V& vector) {
  requires bool(std::remove_cvref_t<V>::IsVectorAtCompileTime);
  *vector.data();
  vector.size();
  vector.innerStride();
};

/// std::mdspan and what has its shape: a handle, extents and strides that say where every element lies.
template <class M>
concept mdspan_like = requires(std::remove_cvref_t<M> const& view) {
  *view.data_handle();
  view.extent(0);
  view.stride(0);
  std::remove_cvref_t<M>::rank();
};

/// The elements are the numbers in memory: no accessor changes them, and the layout has strides.
template <mdspan_like M>
constexpr bool mdspan_is_plain() {
  using view = std::remove_cvref_t<M>;
  using handle = std::remove_cvref_t<decltype(std::declval<view const&>().data_handle())>;
  if constexpr (requires { typename view::reference; }) {
    if (!std::is_same_v<typename view::reference, decltype(*std::declval<handle>())>) return false;
  }
  if constexpr (requires { view::is_always_strided(); }) {
    if (!view::is_always_strided()) return false;
  }
  return std::is_pointer_v<handle>;
}

template <class M>
concept plain_mdspan = mdspan_like<M> && mdspan_is_plain<M>();

template <class M, std::size_t Rank>
concept strided_mdspan = plain_mdspan<M> && Rank == std::remove_cvref_t<M>::rank();

/// Owns its elements. An Eigen::Ref<const X> may, too, when it had to copy: it is not trivially destructible.
template <class V>
concept owning_vector = requires(std::remove_cvref_t<V>& vector) {
  vector.conservativeResize(1);
};

/// What a view may be made from: an lvalue, or a temporary that does not own its elements.
template <class R>
concept viewable_vector = strided_vector<R> &&
    (std::is_lvalue_reference_v<R> || (!owning_vector<R> && std::is_trivially_destructible_v<std::remove_cvref_t<R>>));

template <class M, std::size_t Rank>
concept viewable_mdspan = strided_mdspan<M, Rank> &&
    (std::is_lvalue_reference_v<M> || std::is_trivially_destructible_v<std::remove_cvref_t<M>>);

template <class R>
concept viewable_range = !viewable_vector<R> && !strided_vector<R> && std::ranges::contiguous_range<R> &&
                         std::ranges::sized_range<R> && std::ranges::borrowed_range<R>;

template <class R>
using element_of = std::remove_cvref_t<decltype(*std::declval<R&>().data())>;

template <class M>
using mdspan_pointer = std::remove_cvref_t<decltype(std::declval<std::remove_cvref_t<M> const&>().data_handle())>;

template <class M>
using mdspan_element = std::remove_cv_t<std::remove_pointer_t<mdspan_pointer<M>>>;

template <class M>
constexpr std::size_t mdspan_extent(M const& view, unsigned dimension) noexcept {
  return static_cast<std::size_t>(view.extent(static_cast<decltype(M::rank())>(dimension)));
}

template <class M>
constexpr std::ptrdiff_t mdspan_stride(M const& view, unsigned dimension) noexcept {
  return static_cast<std::ptrdiff_t>(view.stride(static_cast<decltype(M::rank())>(dimension)));
}

/// The element whose indices are 0. A layout of one's own, a reversed one say, may put it elsewhere than at the handle.
template <class M>
constexpr auto mdspan_first(M const& view) noexcept {
  auto const first = view.data_handle();
  if constexpr (M::rank() == 1 && requires { view.mapping()(0); }) {
    return mdspan_extent(view, 0) == 0 ? first : first + static_cast<std::ptrdiff_t>(view.mapping()(0));
  } else if constexpr (M::rank() == 2 && requires { view.mapping()(0, 0); }) {
    bool const empty = mdspan_extent(view, 0) == 0 || mdspan_extent(view, 1) == 0;
    return empty ? first : first + static_cast<std::ptrdiff_t>(view.mapping()(0, 0));
  } else {
    return first;
  }
}

}  // namespace detail

/// A read-only view of one column of a batch: contiguous or strided numbers that are, or convert to, T.
/// Made implicitly from whatever is contiguous (vector, array, span), from Eigen vectors and maps, from what is like a
/// std::mdspan of one dimension, or from {pointer, size, stride}; the stride counts elements, may be negative, and 0
/// repeats one value. Contiguous T is read where it lies; anything else is packed block by block, never whole.
/// A column knows whether it was given: one that is made of something of size 0 is given, and has no values.
template <class T>
class column {
 public:
  using value_type = T;

  constexpr column() = default;

  template <detail::column_value<T> U>
  constexpr column(U const* first, std::size_t size, std::ptrdiff_t stride = 1) noexcept
      : memory_{first, size, stride, std::same_as<U, T> && stride == 1 ? nullptr : pack<U>, true} {}

  template <detail::viewable_range R>
    requires(detail::column_value<std::ranges::range_value_t<R>, T>)
  constexpr column(R&& range) noexcept : column{std::ranges::data(range), std::ranges::size(range)} {}

  template <detail::viewable_vector V>
    requires(detail::column_value<detail::element_of<V>, T>)
  constexpr column(V&& vector) noexcept
      : column{vector.data(), static_cast<std::size_t>(vector.size()),
               static_cast<std::ptrdiff_t>(vector.innerStride())} {}

  template <detail::viewable_mdspan<1> M>
    requires(detail::column_value<detail::mdspan_element<M>, T>)
  constexpr column(M&& view) noexcept
      : column{detail::mdspan_first(view), detail::mdspan_extent(view, 0), detail::mdspan_stride(view, 0)} {}

  /// What a kernel was handed.
  explicit constexpr column(PREFOPT_KERNELS::column_memory<T> const& memory) noexcept : memory_{memory} {}
  [[nodiscard]] constexpr PREFOPT_KERNELS::column_memory<T> const& memory() const noexcept { return memory_; }

  [[nodiscard]] constexpr bool is_given() const noexcept { return memory_.is_given; }
  [[nodiscard]] constexpr std::size_t size() const noexcept { return memory_.size; }
  [[nodiscard]] constexpr bool empty() const noexcept { return memory_.size == 0; }

  /// `count` values from `begin` on: where they lie, or packed into `buffer`; null for a column without values.
  [[nodiscard]] T const* block(std::size_t begin, std::size_t count, T* buffer) const noexcept {
    if (empty()) return nullptr;
    if (memory_.pack == nullptr) return static_cast<T const*>(memory_.first) + begin;
    memory_.pack(memory_.first, memory_.stride, begin, count, buffer);
    return buffer;
  }

  /// The values where they lie, if they are contiguous T; otherwise null.
  [[nodiscard]] T const* in_place() const noexcept {
    return empty() || memory_.pack != nullptr ? nullptr : static_cast<T const*>(memory_.first);
  }

  [[nodiscard]] T operator[](std::size_t index) const noexcept {
    T value;
    return *block(index, 1, &value);
  }

 private:
  template <class U>
  static void pack(void const* first, std::ptrdiff_t stride, std::size_t begin, std::size_t count, T* buffer) noexcept {
    auto const* source = static_cast<U const*>(first) + static_cast<std::ptrdiff_t>(begin) * stride;
    for (std::size_t i = 0; i < count; ++i, source += stride) {
      if constexpr (std::is_class_v<U>) {
        buffer[i] = static_cast<T>(static_cast<float>(*source));
      } else {
        buffer[i] = static_cast<T>(*source);
      }
    }
  }

  PREFOPT_KERNELS::column_memory<T> memory_{};
};

/// A view that results are written to: contiguous or strided T, made like a column. Size 0 means: not wanted.
template <class T>
class output {
 public:
  using value_type = T;

  constexpr output() = default;

  constexpr output(T* first, std::size_t size, std::ptrdiff_t stride = 1) noexcept
      : memory_{first, size, size == 1 ? 1 : stride} {}

  template <detail::viewable_range R>
    requires(std::same_as<std::ranges::range_reference_t<R>, T&>)
  constexpr output(R&& range) noexcept : output{std::ranges::data(range), std::ranges::size(range)} {}

  template <detail::viewable_vector V>
    requires(std::convertible_to<decltype(std::declval<V&>().data()), T*>)
  constexpr output(V&& vector) noexcept
      : output{vector.data(), static_cast<std::size_t>(vector.size()),
               static_cast<std::ptrdiff_t>(vector.innerStride())} {}

  template <detail::viewable_mdspan<1> M>
    requires(std::convertible_to<detail::mdspan_pointer<M>, T*>)
  constexpr output(M&& view) noexcept
      : output{detail::mdspan_first(view), detail::mdspan_extent(view, 0), detail::mdspan_stride(view, 0)} {}

  /// What a kernel was handed.
  explicit constexpr output(PREFOPT_KERNELS::output_memory<T> const& memory) noexcept : memory_{memory} {}
  [[nodiscard]] constexpr PREFOPT_KERNELS::output_memory<T> const& memory() const noexcept { return memory_; }

  [[nodiscard]] constexpr std::size_t size() const noexcept { return memory_.size; }
  [[nodiscard]] constexpr bool empty() const noexcept { return memory_.size == 0; }

  /// Where `count` results from `begin` on may be written: in place, or in `buffer`, which `commit` then spreads out.
  /// The present values are there already if `fetch` is set. Null for an output that is not wanted.
  [[nodiscard]] T* block(std::size_t begin, std::size_t count, T* buffer, bool fetch) const noexcept {
    if (empty()) return nullptr;
    T* const source = at(begin);
    if (memory_.stride == 1) return source;
    if (fetch) {
      for (std::size_t i = 0; i < count; ++i) buffer[i] = source[static_cast<std::ptrdiff_t>(i) * memory_.stride];
    }
    return buffer;
  }

  /// The values where they lie, if they are contiguous; otherwise null.
  [[nodiscard]] T* in_place() const noexcept { return memory_.stride == 1 && !empty() ? memory_.first : nullptr; }

  void commit(std::size_t begin, std::size_t count, T const* buffer) const noexcept {
    if (empty() || memory_.stride == 1) return;
    T* const target = at(begin);
    for (std::size_t i = 0; i < count; ++i) target[static_cast<std::ptrdiff_t>(i) * memory_.stride] = buffer[i];
  }

 private:
  [[nodiscard]] T* at(std::size_t index) const noexcept {
    return memory_.first + static_cast<std::ptrdiff_t>(index) * memory_.stride;
  }

  PREFOPT_KERNELS::output_memory<T> memory_{};
};

namespace detail {

/// A column of the values if they are given, and else none.
template <class T>
column<T> column_if(bool given, std::vector<T> const& values) noexcept {
  return given ? column<T>{values} : column<T>{};
}
template <class T>
column<T> column_if(bool, std::vector<T> const&&) = delete;

/// One result, rounded to T, if it is wanted.
template <class T>
void put(output<T> const& target, std::size_t index, double value) noexcept {
  T buffer;
  if (T* const at = target.block(index, 1, &buffer, false); at != nullptr) {
    *at = static_cast<T>(value);
    target.commit(index, 1, &buffer);
  }
}

}  // namespace detail
}  // namespace prefopt::inline PREFOPT_ABI
