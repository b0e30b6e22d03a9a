#pragma once

#include <cstddef>
#include <cstring>
#include <prefopt/adapter/ggml_memory.hpp>
#include <prefopt/simd/half.hpp>
#include <prefopt/view/row_major.hpp>
#include <string>
#include <vector>

namespace prefopt::inline PREFOPT_ABI {

/// A tensor as rows of float, a row for each of what its dimensions behind the first count: logits [vocabulary, tokens]
/// or hidden states [width, tokens], of one sequence or of several. Floats in host memory are viewed where they lie if
/// rows are contiguous and evenly apart; all else is copied once. Made after the tensor has been computed, for as long
/// as its rows are used.
///     tensor   f32, f16, bf16 or quantized; any strides that are whole elements; allocated
///     throws   std::invalid_argument: another type, a size of 0, strides of half elements, no memory yet
template <detail::ggml_tensor_like Tensor>
class ggml_rows {
 public:
  explicit ggml_rows(Tensor const* tensor) {
    if (tensor != nullptr && ggml_is_quantized(tensor->type)) {
      read_quantized(*tensor);
      return;
    }
    detail::ggml_memory<Tensor> const memory{where, tensor};
    if (detail::number_of(*tensor) == detail::ggml_number::f64) {
      detail::fail_tensor(where, *tensor, "is of type f64, expected f32, f16, bf16 or a quantized type");
    }
    bool const is_viewed = detail::number_of(*tensor) == detail::ggml_number::f32 && memory.copy().empty() &&
                           (tensor->ne[0] == 1 || tensor->nb[0] == sizeof(float)) && are_even(*tensor);
    if (is_viewed) {
      auto const outer = detail::run_of(where, *tensor, 1, "rows");
      rows_ = {reinterpret_cast<float const*>(memory.first()), outer.count, columns(*tensor),
               memory.elements_of(outer.count == 1 ? columns(*tensor) * sizeof(float) : outer.stride)};
      return;
    }
    auto const copy = [&](auto const* first) {
      using U = std::remove_cvref_t<decltype(*first)>;
      for_each_row(*tensor, [&](std::size_t offset, float* to) {
        std::byte const* from = memory.first() + offset;
        for (std::size_t i = 0; i < columns(*tensor); ++i, from += tensor->nb[0]) {
          to[i] = static_cast<float>(*reinterpret_cast<U const*>(from));
        }
      });
    };
    memory.template with_first<float>(where, copy);
  }
  // Rows point into it.
  ggml_rows(ggml_rows const&) = delete;
  ggml_rows& operator=(ggml_rows const&) = delete;

  [[nodiscard]] row_major<float const> rows() const noexcept { return rows_; }

 private:
  static constexpr char const* where = "ggml_rows";

  static std::size_t columns(Tensor const& tensor) noexcept { return static_cast<std::size_t>(tensor.ne[0]); }

  static bool are_even(Tensor const& tensor) noexcept {
    detail::ggml_run run;
    for (int i = 1; i < 4; ++i) {
      if (tensor.ne[i] == 1) continue;
      if (run.count == 1) run.stride = tensor.nb[i];
      if (tensor.nb[i] != run.count * run.stride) return false;
      run.count *= static_cast<std::size_t>(tensor.ne[i]);
    }
    return run.count == 1 || run.stride >= columns(tensor) * sizeof(float);
  }

  /// Calls f with a row's place in bytes and where its floats go.
  template <class F>
  void for_each_row(Tensor const& tensor, F const& f) {
    std::size_t const count = static_cast<std::size_t>(tensor.ne[1] * tensor.ne[2] * tensor.ne[3]);
    copy_.resize(count * columns(tensor));
    float* to = copy_.data();
    for (std::size_t row = 0; row < count; ++row, to += columns(tensor)) {
      std::size_t offset = 0, left = row;
      for (int i = 1; i < 4; ++i) {
        auto const size = static_cast<std::size_t>(tensor.ne[i]);
        offset += left % size * tensor.nb[i];
        left /= size;
      }
      f(offset, to);
    }
    rows_ = {copy_.data(), count, columns(tensor)};
  }

  void read_quantized(Tensor const& tensor) {
    if (tensor.data == nullptr) {
      detail::fail_tensor(where, tensor, "has no memory yet: allocate its context or graph first");
    }
    auto const* const traits = ggml_get_type_traits(tensor.type);
    if (traits == nullptr || traits->to_float == nullptr) {
      detail::fail_tensor(
          where, tensor,
          "is of type " + std::string{ggml_type_name(tensor.type)} + ", which ggml has no conversion to f32 for");
    }
    auto* const buffer = tensor.view_src != nullptr ? tensor.view_src->buffer : tensor.buffer;
    auto const* first = static_cast<std::byte const*>(tensor.data);
    std::vector<std::byte> copy;
    if (buffer != nullptr && !ggml_backend_buffer_is_host(buffer)) {
      copy.resize(ggml_nbytes(&tensor));
      ggml_backend_tensor_get(&tensor, copy.data(), 0, copy.size());
      first = copy.data();
    }
    for_each_row(tensor, [&](std::size_t offset, float* to) { traits->to_float(first + offset, to, tensor.ne[0]); });
  }

  std::vector<float> copy_{};
  row_major<float const> rows_{};
};

}  // namespace prefopt::inline PREFOPT_ABI
