#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <prefopt/core/errors.hpp>
#include <prefopt/simd/half.hpp>
#include <prefopt/view/column.hpp>
#include <prefopt/view/matrix.hpp>
#include <prefopt/view/row_major.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace prefopt::inline PREFOPT_ABI {
namespace detail {

/// Anything that has the members of a DLTensor.
template <class Tensor>
concept dlpack_bare = requires(Tensor const& tensor) {
  { tensor.data } -> std::convertible_to<void*>;
  static_cast<int>(tensor.device.device_type);
  static_cast<int>(tensor.device.device_id);
  { tensor.ndim } -> std::convertible_to<int>;
  static_cast<unsigned>(tensor.dtype.code);
  static_cast<unsigned>(tensor.dtype.bits);
  static_cast<unsigned>(tensor.dtype.lanes);
  { tensor.shape } -> std::convertible_to<std::int64_t const*>;
  { tensor.strides } -> std::convertible_to<std::int64_t const*>;
  static_cast<std::uint64_t>(tensor.byte_offset);
};

template <class Tensor>
concept dlpack_managed = requires(Tensor const& tensor) {
  requires dlpack_bare<std::remove_cvref_t<decltype(tensor.dl_tensor)>>;
};

template <class Tensor>
concept dlpack_versioned = dlpack_managed<Tensor> && requires(Tensor const& tensor) {
  static_cast<std::uint32_t>(tensor.version.major);
  static_cast<std::uint32_t>(tensor.version.minor);
  static_cast<std::uint64_t>(tensor.flags);
};

}  // namespace detail

/// DLTensor, DLManagedTensor or DLManagedTensorVersioned of DLPack 0.6 to 1.x, known by their members: no DLPack header
/// is included here.
template <class Tensor>
concept dlpack_tensor = detail::dlpack_bare<Tensor> || detail::dlpack_managed<Tensor>;

namespace detail {

/// What a tensor says of itself.
struct dlpack_facts {
  void* data = nullptr;
  int device = 0, device_id = 0, dimensions = 0;
  unsigned code = 0, bits = 0, lanes = 0;
  std::int64_t const *shape = nullptr, *strides = nullptr;
  std::uint64_t byte_offset = 0;
  bool read_only = false, empty = false;
};

/// One dimension, or several that one stride leads through.
struct dlpack_extent {
  std::size_t size;
  std::ptrdiff_t stride;
};

PREFOPT_COLD inline std::string dlpack_device(int type) {
  switch (type) {
    case 1:
      return "the CPU";
    case 2:
      return "a CUDA device";
    case 4:
      return "an OpenCL device";
    case 7:
      return "a Vulkan device";
    case 8:
      return "a Metal device";
    case 10:
      return "a ROCm device";
    case 13:
      return "CUDA managed memory";
    case 14:
      return "a oneAPI device";
    default:
      return "a device of type " + std::to_string(type);
  }
}

PREFOPT_COLD inline std::string dlpack_dtype(unsigned code, unsigned bits, unsigned lanes) {
  std::string const size = std::to_string(bits), vector = lanes == 1 ? "" : " in " + std::to_string(lanes) + " lanes";
  switch (code) {
    case 0:
      return "int" + size + vector;
    case 1:
      return "uint" + size + vector;
    case 2:
      return "float" + size + vector;
    case 4:
      return "bfloat" + size + vector;
    case 5:
      return "complex" + size + vector;
    case 6:
      return (bits == 8 ? "bool" : "bool of bits " + size) + vector;
    default:
      return "code " + std::to_string(code) + " of bits " + size + vector;
  }
}

PREFOPT_COLD inline std::string dlpack_list(std::int64_t const* numbers, int count) {
  std::string listed = "[";
  for (int i = 0; i < count; ++i) listed += (i == 0 ? "" : ", ") + std::to_string(numbers[i]);
  return listed + ']';
}

PREFOPT_COLD inline std::string dlpack_shape(dlpack_facts const& tensor) {
  return dlpack_list(tensor.shape, tensor.dimensions);
}

/// The shape, and the strides where they are given.
PREFOPT_COLD inline std::string dlpack_layout(dlpack_facts const& tensor) {
  std::string const strides =
      tensor.strides == nullptr ? "" : " with strides " + dlpack_list(tensor.strides, tensor.dimensions);
  return "shape is " + dlpack_shape(tensor) + strides;
}

template <class Tensor>
dlpack_facts dlpack_facts_of(std::string_view where, Tensor const& tensor) {
  if constexpr (dlpack_bare<Tensor>) {
    return {.data = tensor.data,
            .device = static_cast<int>(tensor.device.device_type),
            .device_id = static_cast<int>(tensor.device.device_id),
            .dimensions = static_cast<int>(tensor.ndim),
            .code = static_cast<unsigned>(tensor.dtype.code),
            .bits = static_cast<unsigned>(tensor.dtype.bits),
            .lanes = static_cast<unsigned>(tensor.dtype.lanes),
            .shape = tensor.shape,
            .strides = tensor.strides,
            .byte_offset = static_cast<std::uint64_t>(tensor.byte_offset)};
  } else if constexpr (dlpack_versioned<Tensor>) {
    // Of another major version nothing else may be looked at.
    if (static_cast<std::uint32_t>(tensor.version.major) != 1) {
      fail(where, "the tensor is of DLPack version " + std::to_string(tensor.version.major) + "." +
                      std::to_string(tensor.version.minor) + ", expected 1.x");
    }
    auto facts = dlpack_facts_of(where, tensor.dl_tensor);
    facts.read_only = (static_cast<std::uint64_t>(tensor.flags) & 1) != 0;
    return facts;
  } else {
    return dlpack_facts_of(where, tensor.dl_tensor);
  }
}

/// Everything but the element type and the layout.
PREFOPT_COLD inline void check_dlpack(std::string_view where, dlpack_facts& tensor, bool written) {
  if (tensor.device != 1 && tensor.device != 3 && tensor.device != 11) {
    fail(where, "the tensor lies on " + dlpack_device(tensor.device) + " (id " + std::to_string(tensor.device_id) +
                    "), expected memory of the CPU, or that CUDA or ROCm pinned for it");
  }
  if (written && tensor.read_only) fail(where, "the tensor is read-only, expected one that may be written to");
  if (tensor.lanes != 1) {
    fail(where, "dtype is " + dlpack_dtype(tensor.code, tensor.bits, tensor.lanes) + ", expected one lane");
  }
  if (tensor.dimensions < 0) fail(where, "ndim is " + std::to_string(tensor.dimensions) + ", expected 0 or more");
  if (tensor.dimensions > 0 && tensor.shape == nullptr) {
    fail(where, "shape is null, expected " + std::to_string(tensor.dimensions) + " numbers");
  }
  for (int i = 0; i < tensor.dimensions; ++i) {
    if (tensor.shape[i] < 0) fail(where, "shape is " + dlpack_shape(tensor) + ", expected numbers >= 0");
    tensor.empty = tensor.empty || tensor.shape[i] == 0;
  }
  std::int64_t room = std::numeric_limits<std::ptrdiff_t>::max() / 8;
  for (int i = 0; i < tensor.dimensions && !tensor.empty; ++i) {
    room /= tensor.shape[i];
    if (room == 0) fail(where, "shape is " + dlpack_shape(tensor) + ", expected one that fits into memory");
  }
  room = std::numeric_limits<std::ptrdiff_t>::max() / 8;
  for (int i = 0; i < tensor.dimensions && !tensor.empty && tensor.strides != nullptr; ++i) {
    std::int64_t const steps = tensor.shape[i] - 1;
    if (steps == 0) continue;
    bool const fits = tensor.strides[i] <= room / steps && tensor.strides[i] >= -(room / steps);
    if (!fits) fail(where, dlpack_layout(tensor) + ", expected one that fits into memory");
    room -= steps * (tensor.strides[i] < 0 ? -tensor.strides[i] : tensor.strides[i]);
  }
  if (tensor.data == nullptr) {
    if (!tensor.empty) fail(where, "data is null, the shape is " + dlpack_shape(tensor));
  } else {
    if (tensor.byte_offset >
        std::numeric_limits<std::uintptr_t>::max() - reinterpret_cast<std::uintptr_t>(tensor.data)) {
      fail(where, "byte_offset is " + std::to_string(tensor.byte_offset) + ", which lies beyond all addresses");
    }
    tensor.data = static_cast<unsigned char*>(tensor.data) + tensor.byte_offset;
  }
}

/// The dimensions from `first` up to `last` as one, in row-major order.
inline dlpack_extent dlpack_merged(std::string_view where, dlpack_facts const& tensor, int first, int last) {
  std::uint64_t compact = 1;
  for (int i = last; i < tensor.dimensions; ++i) compact *= static_cast<std::uint64_t>(tensor.shape[i]);
  dlpack_extent merged{1, static_cast<std::ptrdiff_t>(compact)};
  for (int i = first; i < last; ++i) {
    if (tensor.shape[i] == 0) return {0, merged.stride};
  }
  if (tensor.strides == nullptr || tensor.empty) {
    for (int i = first; i < last; ++i) merged.size *= static_cast<std::size_t>(tensor.shape[i]);
    return merged;
  }
  for (int i = last - 1; i >= first; --i) {
    if (tensor.shape[i] == 1) continue;
    if (merged.size == 1) {
      merged.stride = static_cast<std::ptrdiff_t>(tensor.strides[i]);
    } else if (static_cast<std::uint64_t>(tensor.strides[i]) !=
               merged.size * static_cast<std::uint64_t>(merged.stride)) {
      fail(where, dlpack_layout(tensor) + ", expected strides that make one of dimensions " + std::to_string(first) +
                      " to " + std::to_string(last - 1));
    }
    merged.size *= static_cast<std::size_t>(tensor.shape[i]);
  }
  return merged;
}

/// Elements to be written to must lie apart.
inline void check_dlpack_apart(std::string_view where, dlpack_facts const& tensor, dlpack_extent rows,
                               dlpack_extent columns) {
  if (tensor.empty) return;
  auto const distance = [](dlpack_extent of) {
    auto const stride = static_cast<std::uint64_t>(of.stride);
    return of.stride < 0 ? std::uint64_t{0} - stride : stride;
  };
  bool const rows_are_wider = distance(rows) >= distance(columns);
  auto const [outer, inner] = rows_are_wider ? std::pair{rows, columns} : std::pair{columns, rows};
  bool const inner_is_apart = inner.size == 1 || distance(inner) != 0;
  bool const outer_is_apart = outer.size == 1 || distance(outer) > (inner.size - 1) * distance(inner);
  if (!inner_is_apart || !outer_is_apart) {
    fail(where, dlpack_layout(tensor) + ", expected dimensions that nest, so that no elements share memory");
  }
}

template <class U>
constexpr unsigned dlpack_code = bfloat16_like<U>   ? 4
                                 : std::integral<U> ? (std::is_signed_v<U> ? 0 : 1)
                                                    : 2;

template <class U>
bool dlpack_holds(dlpack_facts const& tensor) noexcept {
  // A bool's byte may hold any number in another language: it is read as one.
  return (tensor.code == dlpack_code<U> || (std::same_as<U, std::uint8_t> && tensor.code == 6)) &&
         tensor.bits == 8 * sizeof(U);
}

template <class U>
U* dlpack_elements(std::string_view where, dlpack_facts const& tensor) {
  auto const behind = reinterpret_cast<std::uintptr_t>(tensor.data) % alignof(U);
  if (behind != 0 && !tensor.empty) {
    fail(where, "data + byte_offset lies " + std::to_string(behind) + " bytes behind a multiple of " +
                    std::to_string(alignof(U)) + ", expected an aligned " + dlpack_dtype(tensor.code, tensor.bits, 1));
  }
  return static_cast<U*>(tensor.data);
}

[[noreturn]] PREFOPT_COLD inline void refuse_dlpack_dtype(std::string_view where, dlpack_facts const& tensor,
                                                          std::string const& expected) {
  fail(where, "dtype is " + dlpack_dtype(tensor.code, tensor.bits, tensor.lanes) + ", expected " + expected);
}

template <class...>
struct dlpack_types {};

/// The result of `make` for elements of the type that the tensor has, one of those that a column of T is made from.
template <class T, class Make>
auto of_dlpack_dtype(std::string_view where, dlpack_facts const& tensor, Make const& make) {
  decltype(make(static_cast<std::uint8_t const*>(nullptr))) result;
  auto const made_of = [&]<class... U>(dlpack_types<U...>) {
    auto const make_of = [&]<class V>(V const*) {
      if constexpr (column_value<V, T>) {
        if (dlpack_holds<V>(tensor)) {
          result = make(static_cast<V const*>(dlpack_elements<V>(where, tensor)));
          return true;
        }
      }
      return false;
    };
    return (make_of(static_cast<U const*>(nullptr)) || ...);
  };
  if (!made_of(dlpack_types<double, float, float16, bfloat16, std::int8_t, std::int16_t, std::int32_t, std::int64_t,
                            std::uint8_t, std::uint16_t, std::uint32_t, std::uint64_t>{})) {
    std::string expected = "int or uint of 8 to 64 bits or bool";
    if (std::floating_point<T>) expected = "float16, bfloat16, float32, " + expected;
    if (std::same_as<T, double>) expected = "float64, " + expected;
    refuse_dlpack_dtype(where, tensor, expected);
  }
  return result;
}

/// Elements of this type and no other.
template <class U>
U* dlpack_elements_as(std::string_view where, dlpack_facts const& tensor) {
  if (!dlpack_holds<U>(tensor)) {
    refuse_dlpack_dtype(where, tensor, dlpack_dtype(dlpack_code<U>, 8 * sizeof(U), 1));
  }
  return dlpack_elements<U>(where, tensor);
}

struct dlpack_rectangle {
  dlpack_extent rows, columns;
};

/// The last dimension are the columns, all before it the rows.
inline dlpack_rectangle dlpack_rectangle_of(std::string_view where, dlpack_facts const& tensor) {
  if (tensor.dimensions < 2) {
    fail(where, "shape is " + dlpack_shape(tensor) + ", expected two dimensions or more");
  }
  int const last = tensor.dimensions - 1;
  return {dlpack_merged(where, tensor, 0, last), dlpack_merged(where, tensor, last, last + 1)};
}

template <dlpack_tensor Tensor>
dlpack_facts checked_dlpack(std::string_view where, Tensor const& tensor, bool written) {
  auto facts = dlpack_facts_of(where, tensor);
  check_dlpack(where, facts, written);
  return facts;
}

}  // namespace detail

// Views of tensors of other frameworks. They are borrowed: the tensor's memory must outlive the view, and calling its
// deleter stays the caller's duty. The tensor must lie in memory of the CPU (CPU, CUDAHost, ROCMHost), be aligned to
// its element type and have one lane; byte_offset is added, strides may be null (row-major without gaps). A tensor
// whose flags say read-only is not written to; one without flags cannot say so. Everything else throws
// std::invalid_argument that says what was got and what was expected. A column of a tensor without elements is given,
// and has no values; such an output is not wanted.

/// A column of a batch. dtype: whatever a column of T is made from: float32, float64 if T is double, float16, bfloat16,
/// integers, bool; integers and bool if T is an integer. Several dimensions are read in row-major order, if one stride
/// leads through all of them: [n, 1], or labels [sequences, tokens].
template <class T, dlpack_tensor Tensor>
column<T> dlpack_column(Tensor const& tensor) {
  constexpr std::string_view where = "dlpack_column";
  auto const facts = detail::checked_dlpack(where, tensor, false);
  auto const all = detail::dlpack_merged(where, facts, 0, facts.dimensions);
  return detail::of_dlpack_dtype<T>(where, facts, [&](auto const* first) {
    return column<T>{first, all.size, all.size <= 1 ? 1 : all.stride};
  });
}

/// The same to be written to. dtype: that of T; no two elements may share memory.
template <class T, dlpack_tensor Tensor>
output<T> dlpack_output(Tensor const& tensor) {
  constexpr std::string_view where = "dlpack_output";
  auto const facts = detail::checked_dlpack(where, tensor, true);
  auto const all = detail::dlpack_merged(where, facts, 0, facts.dimensions);
  detail::check_dlpack_apart(where, facts, {1, 0}, all);
  return {detail::dlpack_elements_as<T>(where, facts), all.size, all.size <= 1 ? 1 : all.stride};
}

/// Token log-probs, a mask and the like: [rows, columns] with any strides, dtype as in dlpack_column. Of more
/// dimensions all but the last become the rows, if one stride leads through them.
template <class T, dlpack_tensor Tensor>
matrix<T> dlpack_matrix(Tensor const& tensor) {
  constexpr std::string_view where = "dlpack_matrix";
  auto const facts = detail::checked_dlpack(where, tensor, false);
  auto const shape = detail::dlpack_rectangle_of(where, facts);
  return detail::of_dlpack_dtype<T>(where, facts, [shape](auto const* first) {
    return matrix<T>{first, shape.rows.size, shape.columns.size, shape.rows.stride, shape.columns.stride};
  });
}

/// The same to be written to, as dlpack_output.
template <class T, dlpack_tensor Tensor>
output_matrix<T> dlpack_output_matrix(Tensor const& tensor) {
  constexpr std::string_view where = "dlpack_output_matrix";
  auto const facts = detail::checked_dlpack(where, tensor, true);
  auto const shape = detail::dlpack_rectangle_of(where, facts);
  detail::check_dlpack_apart(where, facts, shape.rows, shape.columns);
  return {detail::dlpack_elements_as<T>(where, facts), shape.rows.size, shape.columns.size, shape.rows.stride,
          shape.columns.stride};
}

/// Logits, hidden states, weights: rows that are contiguous, [tokens, vocabulary] or [sequences, tokens, vocabulary].
/// dtype: that of U, which is float, double or a 16-bit type, const if the rows are only read.
template <class U, dlpack_tensor Tensor>
  requires(detail::stored_number<std::remove_const_t<U>>)
row_major<U> dlpack_rows(Tensor const& tensor) {
  constexpr std::string_view where = "dlpack_rows";
  auto const facts = detail::checked_dlpack(where, tensor, !std::is_const_v<U>);
  auto const shape = detail::dlpack_rectangle_of(where, facts);
  if (shape.columns.size > 1 && shape.columns.stride != 1) {
    detail::fail(where, "the last dimension has a stride of " + std::to_string(shape.columns.stride) +
                            ", expected 1: rows that are contiguous");
  }
  if constexpr (!std::is_const_v<U>) detail::check_dlpack_apart(where, facts, shape.rows, shape.columns);
  return {detail::dlpack_elements_as<std::remove_const_t<U>>(where, facts), shape.rows.size, shape.columns.size,
          shape.rows.stride};
}

}  // namespace prefopt::inline PREFOPT_ABI
