#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <prefopt/core/errors.hpp>
#include <prefopt/simd/half.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

// No header of ggml is needed in the adapter's own. Its functions are found by the types of their arguments where the
// templates are used, after <ggml.h> and <ggml-backend.h>.

namespace prefopt::inline PREFOPT_ABI {
namespace detail {

/// A struct with the members of ggml_tensor that are read here.
template <class Tensor>
concept ggml_tensor_like = requires(Tensor const tensor) {
  { tensor.ne[0] } -> std::convertible_to<std::int64_t>;
  { tensor.nb[0] } -> std::convertible_to<std::size_t>;
  { tensor.data } -> std::convertible_to<void const*>;
  tensor.buffer;
  tensor.view_src;
  static_cast<int>(tensor.type);
  static_cast<int>(tensor.op);
  std::string{tensor.name};
};

/// The values of ggml_type that are floating-point numbers. Model files hold them, so they never change.
enum class ggml_number { f32 = 0, f16 = 1, f64 = 28, bf16 = 30 };

template <class Tensor>
ggml_number number_of(Tensor const& tensor) noexcept {
  return static_cast<ggml_number>(static_cast<int>(tensor.type));
}

template <stored_number U>
inline constexpr ggml_number ggml_number_for = std::same_as<U, double> ? ggml_number::f64
                                               : float16_like<U>       ? ggml_number::f16
                                               : bfloat16_like<U>      ? ggml_number::bf16
                                                                       : ggml_number::f32;

template <class Tensor>
[[noreturn]] PREFOPT_COLD void fail_tensor(std::string_view where, Tensor const& tensor, std::string const& what) {
  std::string const name{tensor.name};
  fail(where, (name.empty() ? "the tensor" : name) + " " + what);
}

template <class Tensor>
std::string shape_of(Tensor const& tensor) {
  std::string shape;
  for (int i = 0; i < 4; ++i) shape.append(i == 0 ? "[" : ", ").append(std::to_string(tensor.ne[i]));
  return shape + "]";
}

/// The element's size, and that the tensor has numbers at all.
template <class Tensor>
std::size_t check_numbers(std::string_view where, Tensor const* tensor) {
  if (tensor == nullptr) fail(where, "the tensor is null");
  std::size_t size = 0;
  switch (number_of(*tensor)) {
    case ggml_number::f64:
      size = 8;
      break;
    case ggml_number::f32:
      size = 4;
      break;
    case ggml_number::f16:
    case ggml_number::bf16:
      size = 2;
      break;
    default:
      fail_tensor(where, *tensor,
                  "is of type " + std::string{ggml_type_name(tensor->type)} + ", expected f32, f16, bf16 or f64");
  }
  for (int i = 0; i < 4; ++i) {
    if (tensor->ne[i] < 1) fail_tensor(where, *tensor, "is " + shape_of(*tensor) + ", expected sizes of 1 or more");
    if (tensor->ne[i] > 1 && tensor->nb[i] % size != 0) {
      fail_tensor(where, *tensor,
                  "has a stride of " + std::to_string(tensor->nb[i]) + " bytes (nb[" + std::to_string(i) +
                      "]), expected a multiple of its elements' " + std::to_string(size));
    }
  }
  return size;
}

template <class Tensor>
void check_f32(std::string_view where, Tensor const& tensor) {
  if (number_of(tensor) == ggml_number::f32) return;
  fail_tensor(where, tensor, "is of type " + std::string{ggml_type_name(tensor.type)} + ", expected f32");
}

/// Dimensions [begin, 4) as one: how many elements, and their stride in bytes.
struct ggml_run {
  std::size_t count = 1, stride = 0;
};

template <class Tensor>
ggml_run run_of(std::string_view where, Tensor const& tensor, int begin, char const* what) {
  ggml_run run;
  for (int i = begin; i < 4; ++i) {
    if (tensor.ne[i] == 1) continue;
    if (run.count == 1) {
      run.stride = tensor.nb[i];
    } else if (tensor.nb[i] != run.count * run.stride) {
      fail_tensor(where, tensor,
                  "is " + shape_of(tensor) + " with gaps or permuted (nb[" + std::to_string(i) + "] is " +
                      std::to_string(tensor.nb[i]) + " bytes), expected " + what + " evenly apart: ggml_cont");
    }
    run.count *= static_cast<std::size_t>(tensor.ne[i]);
  }
  return run;
}

/// The memory behind a tensor, brought to the host if it lies elsewhere.
template <class Tensor>
class ggml_memory {
 public:
  ggml_memory(std::string_view where, Tensor const* tensor)
      : tensor_{tensor}, size_{check_numbers(where, tensor)}, first_{static_cast<std::byte*>(tensor->data)} {
    if (first_ == nullptr) fail_tensor(where, *tensor, "has no memory yet: allocate its context or graph first");
    auto* const buffer = tensor->view_src != nullptr ? tensor->view_src->buffer : tensor->buffer;
    static_assert(
        requires { ggml_backend_buffer_is_host(buffer); }, "prefopt: include <ggml-backend.h>");
    // A context that holds its tensors' data itself has no buffers.
    if (buffer != nullptr && !ggml_backend_buffer_is_host(buffer)) {
      copy_.resize(ggml_nbytes(tensor));
      ggml_backend_tensor_get(tensor, copy_.data(), 0, copy_.size());
      first_ = copy_.data();
    }
    if (reinterpret_cast<std::uintptr_t>(first_) % size_ != 0) {
      fail_tensor(where, *tensor,
                  "lies at an address that is not a multiple of its elements' " + std::to_string(size_) + " bytes");
    }
  }

  [[nodiscard]] Tensor const& tensor() const noexcept { return *tensor_; }
  [[nodiscard]] std::ptrdiff_t elements_of(std::size_t bytes) const noexcept {
    return static_cast<std::ptrdiff_t>(bytes / size_);
  }
  [[nodiscard]] std::byte* first() const noexcept { return first_; }
  /// Empty for a tensor in host memory.
  [[nodiscard]] std::vector<std::byte> const& copy() const noexcept { return copy_; }

  /// Calls f with a pointer to the first element, of the type that the tensor has, if a T holds all its values.
  template <class T, class F>
  auto with_first(std::string_view where, F const& f) const {
    if constexpr (std::same_as<T, double>) {
      if (number_of(*tensor_) == ggml_number::f64) return f(reinterpret_cast<double const*>(first_));
    }
    switch (number_of(*tensor_)) {
      case ggml_number::f64:
        fail_tensor(where, *tensor_, "is of type f64, which float cannot hold: ask for double");
      case ggml_number::f16:
        return f(reinterpret_cast<float16 const*>(first_));
      case ggml_number::bf16:
        return f(reinterpret_cast<bfloat16 const*>(first_));
      default:
        return f(reinterpret_cast<float const*>(first_));
    }
  }

 private:
  Tensor const* tensor_;
  std::size_t size_;
  std::byte* first_;
  std::vector<std::byte> copy_;
};

template <class Tensor>
void check_part(std::string_view where, Tensor const& tensor, std::size_t begin, std::size_t count, std::size_t all) {
  if (begin <= all && count <= all - begin) return;
  fail_tensor(where, tensor, "has " + elements(all) + ", asked for " + text(count) + " from " + text(begin) + " on");
}

/// What ggml_tensor_overhead() says: the tensor behind an object of two sizes, a pointer and a padded number.
inline constexpr std::size_t ggml_object_bytes = 2 * sizeof(std::size_t) + sizeof(void*) + 8;
template <class Tensor>
inline constexpr std::size_t ggml_tensor_bytes = sizeof(Tensor) + ggml_object_bytes;

template <class Context>
void check_room(std::string_view where, Context* context, std::size_t wanted, std::string const& what) {
  std::size_t const left = ggml_get_mem_size(context) - ggml_used_mem(context);
  if (left >= wanted) return;
  fail(where, "the context has room for " + text(left) + " bytes, expected " + text(wanted) + ": " + what +
                  " more in ggml_init_params::mem_size");
}

/// So that ggml's allocators keep a tensor until the graph's next computation. One that looks at what a view is of does
/// not look at the view.
template <class Tensor>
void keep(Tensor* tensor) {
  ggml_set_output(tensor);
  if (tensor->view_src != nullptr) ggml_set_output(tensor->view_src);
}

}  // namespace detail
}  // namespace prefopt::inline PREFOPT_ABI
