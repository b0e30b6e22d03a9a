#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <prefopt/core/errors.hpp>
#include <prefopt/simd/half.hpp>
#include <prefopt/view/column.hpp>
#include <prefopt/view/matrix.hpp>
#include <prefopt/view/row_major.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

// ggml differentiates what its own operations compute, and a preference loss is none of them. So the loss's gradient G
// goes into a leaf of the graph, and ggml differentiates sum(x * G), whose gradient by x is exactly G:
//
//     once       auto const surrogate = prefopt::ggml_surrogate(context, x);   x: log-probs, or logits
//                ggml_set_loss(surrogate.loss);                                or ggml_opt with surrogate.terms
//     each step  compute the graph up to x
//                prefopt::ggml_numbers const seen{x};
//                prefopt::ggml_gradient d{surrogate.gradient};
//                prefopt::evaluate(…, seen.values(), …, d.values(), …);
//                d.store();
//                ggml_graph_reset(graph): the loss's own gradient is 1; momenta of AdamW steps in that graph are
//                cleared, so they belong into another one
//                compute the graph with its backward pass
//
// The surrogate's value means nothing: the loss is what evaluate reports.
//
// No header of ggml is needed here. Its functions are found by the types of their arguments where these templates are
// used, after <ggml.h> and <ggml-backend.h>. Whatever ggml would abort at is checked first and thrown.

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

}  // namespace detail

/// A tensor's numbers as the views that the library reads: where they lie in host memory, or in one copy of what
/// another backend holds. Made after the tensor has been computed, for as long as its views are used.
///     tensor   f32, f16, bf16 or f64; any strides that are whole elements; allocated
///     throws   std::invalid_argument: another type, a size of 0, strides of half elements, no memory yet; dimensions
///              that do not run evenly where they are asked for as one
template <detail::ggml_tensor_like Tensor>
class ggml_numbers {
 public:
  explicit ggml_numbers(Tensor const* tensor) : memory_{"ggml_numbers", tensor} {}
  // Views point into it.
  ggml_numbers(ggml_numbers const&) = delete;
  ggml_numbers& operator=(ggml_numbers const&) = delete;

  /// All elements, or `count` from `begin` on, as one column; T is double for f64.
  template <class T = float>
  [[nodiscard]] column<T> values() const {
    auto const run = all();
    return part<T>(run, 0, run.count);
  }
  template <class T = float>
  [[nodiscard]] column<T> values(std::size_t begin, std::size_t count) const {
    auto const run = all();
    detail::check_part("ggml_numbers", memory_.tensor(), begin, count, run.count);
    return part<T>(run, begin, count);
  }

  /// Token log-probs [tokens, sequences]: a row for each sequence, which is what dense_tokens takes.
  template <class T = float>
  [[nodiscard]] matrix<T> sequences() const {
    auto const& tensor = memory_.tensor();
    auto const outer = detail::run_of("ggml_numbers", tensor, 1, "rows");
    auto const columns = static_cast<std::size_t>(tensor.ne[0]);
    return memory_.template with_first<T>("ggml_numbers", [&](auto const* first) {
      return matrix<T>{first, outer.count, columns, memory_.elements_of(outer.stride),
                       memory_.elements_of(tensor.nb[0])};
    });
  }

  /// Logits [vocabulary, tokens]: a row for each token, which is what logit_policy takes. U is the tensor's own type,
  /// for 16 bits the library's or a host's.
  template <detail::stored_number U = float>
  [[nodiscard]] row_major<U const> rows() const {
    constexpr char const* where = "ggml_numbers";
    auto const& tensor = memory_.tensor();
    if (detail::number_of(tensor) != detail::ggml_number_for<U>) {
      detail::fail_tensor(
          where, tensor,
          "is of another type, " + std::string{ggml_type_name(tensor.type)} + ", than the rows that are asked for");
    }
    if (tensor.ne[0] > 1 && tensor.nb[0] != sizeof(U)) {
      detail::fail_tensor(where, tensor,
                          "has a stride of " + std::to_string(tensor.nb[0]) + " bytes in its rows (nb[0]), expected " +
                              std::to_string(sizeof(U)));
    }
    auto const outer = detail::run_of(where, tensor, 1, "rows");
    return {reinterpret_cast<U const*>(memory_.first()), outer.count, static_cast<std::size_t>(tensor.ne[0]),
            memory_.elements_of(outer.stride)};
  }

 private:
  [[nodiscard]] detail::ggml_run all() const { return detail::run_of("ggml_numbers", memory_.tensor(), 0, "elements"); }

  template <class T>
  [[nodiscard]] column<T> part(detail::ggml_run const& run, std::size_t begin, std::size_t count) const {
    std::ptrdiff_t const stride = run.count == 1 ? 1 : memory_.elements_of(run.stride);
    return memory_.template with_first<T>("ggml_numbers", [&](auto const* first) {
      return column<T>{first + static_cast<std::ptrdiff_t>(begin) * stride, count, stride};
    });
  }

  detail::ggml_memory<Tensor> memory_;
};

/// The leaf that the gradient goes into, as the views that the library writes. `store` comes after the gradient has
/// been written and before the backward pass is computed: it hands the numbers to a backend that holds them elsewhere,
/// and does nothing in host memory.
///     tensor   f32, without gaps, allocated, not the result of an operation
///     throws   std::invalid_argument, as ggml_numbers and for what the line above says
template <detail::ggml_tensor_like Tensor>
class ggml_gradient {
 public:
  explicit ggml_gradient(Tensor* tensor) : memory_{where, tensor}, tensor_{tensor} {
    detail::check_f32(where, *tensor);
    if (static_cast<int>(tensor->op) != 0) {
      detail::fail_tensor(where, *tensor, "is the result of an operation, which would replace the gradient");
    }
    auto const run = detail::run_of(where, *tensor, 0, "elements");
    if (run.count > 1 && run.stride != sizeof(float)) {
      detail::fail_tensor(where, *tensor,
                          "has its elements " + std::to_string(run.stride) + " bytes apart, expected no gaps");
    }
    size_ = run.count;
  }
  ggml_gradient(ggml_gradient const&) = delete;
  ggml_gradient& operator=(ggml_gradient const&) = delete;

  [[nodiscard]] output<float> values() { return {first(), size_}; }
  [[nodiscard]] output<float> values(std::size_t begin, std::size_t count) {
    detail::check_part(where, *tensor_, begin, count, size_);
    return {first() + begin, count};
  }

  /// In the shape of token log-probs [tokens, sequences].
  [[nodiscard]] output_matrix<float> sequences() { return {first(), size_ / columns(), columns()}; }

  /// In the shape of logits [vocabulary, tokens].
  [[nodiscard]] row_major<float> rows() { return {first(), size_ / columns(), columns()}; }

  void store() {
    if (!memory_.copy().empty()) ggml_backend_tensor_set(tensor_, memory_.copy().data(), 0, memory_.copy().size());
  }

 private:
  static constexpr char const* where = "ggml_gradient";

  [[nodiscard]] float* first() noexcept { return reinterpret_cast<float*>(memory_.first()); }
  [[nodiscard]] std::size_t columns() const noexcept { return static_cast<std::size_t>(tensor_->ne[0]); }

  detail::ggml_memory<Tensor> memory_;
  Tensor* tensor_;
  std::size_t size_ = 0;
};

/// What stands for the loss in ggml's graph.
template <class Tensor>
struct ggml_surrogate_loss {
  Tensor* gradient;  ///< the leaf G, of the shape of x
  Tensor* terms;     ///< x * G: the outputs of a ggml_opt with GGML_OPT_LOSS_TYPE_SUM
  Tensor* loss;      ///< sum(x * G): what a loop of one's own gives to ggml_set_loss
};

/// Adds sum(x * G) to a context, and marks x and G so that ggml's allocators keep them: both are needed between two
/// computations. x is what prefopt differentiates by: log-probs of sequences or tokens, or logits.
///     throws   std::invalid_argument, with nothing added: x that is not f32 or has gaps inside its rows, which ggml
///              cannot multiply; a context without room for three tensors
template <class Context, detail::ggml_tensor_like Tensor>
ggml_surrogate_loss<Tensor> ggml_surrogate(Context* context, Tensor* x) {
  constexpr char const* where = "ggml_surrogate";
  if (context == nullptr) detail::fail(where, "the context is null");
  detail::check_numbers(where, x);
  detail::check_f32(where, *x);
  if (x->nb[0] != sizeof(float)) {
    detail::fail_tensor(
        where, *x, "has a stride of " + std::to_string(x->nb[0]) + " bytes in its rows (nb[0]), expected 4: ggml_cont");
  }
  // What ggml_tensor_overhead() says: the tensor behind an object of two sizes, a pointer and a padded number.
  std::size_t const overhead = sizeof(Tensor) + 2 * sizeof(std::size_t) + sizeof(void*) + 8;
  std::size_t data = 0;
  if (!ggml_get_no_alloc(context)) {
    data = 2 * sizeof(float) * static_cast<std::size_t>(x->ne[0] * x->ne[1] * x->ne[2] * x->ne[3]) + 3 * 16;
  }
  std::size_t const wanted = 3 * overhead + data, left = ggml_get_mem_size(context) - ggml_used_mem(context);
  if (left < wanted) {
    detail::fail(where, "the context has room for " + detail::text(left) + " bytes, expected " + detail::text(wanted) +
                            ": three tensors more in ggml_init_params::mem_size");
  }
  auto* const gradient = ggml_dup_tensor(context, x);
  ggml_set_name(gradient, "prefopt_gradient");
  ggml_set_input(gradient);
  ggml_set_output(gradient);
  ggml_set_output(x);
  // An allocator that looks at what a view is of does not look at the view.
  if (x->view_src != nullptr) ggml_set_output(x->view_src);
  auto* const terms = ggml_mul(context, x, gradient);
  return {gradient, terms, ggml_sum(context, terms)};
}

}  // namespace prefopt::inline PREFOPT_ABI
