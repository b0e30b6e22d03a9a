#pragma once

#include <cstddef>
#include <prefopt/adapter/ggml_memory.hpp>
#include <prefopt/core/errors.hpp>
#include <prefopt/view/column.hpp>
#include <prefopt/view/matrix.hpp>
#include <prefopt/view/row_major.hpp>
#include <string>

namespace prefopt::inline PREFOPT_ABI {

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

}  // namespace prefopt::inline PREFOPT_ABI
