#pragma once

#include <ggml-cpp.h>

#include <array>
#include <vector>

#include "llama_shape.hpp"
#include "lora_adapter.hpp"

/// A of one matrix, B, and the accumulators of their gradients, as ggml sees them.
struct low_rank_tensors {
  ggml_tensor *a = nullptr, *b = nullptr, *d_a = nullptr, *d_b = nullptr;
};

/// An adapter's two arrays as tensors, for as long as it stays where it is.
class adapter_tensors {
 public:
  explicit adapter_tensors(lora_adapter& adapter, std::size_t layers);

  /// Null where the adapter has nothing for that matrix.
  [[nodiscard]] low_rank_tensors const* find(std::size_t layer, block_matrix matrix) const {
    auto const& found = layers_[layer][static_cast<std::size_t>(matrix)];
    return found.a == nullptr ? nullptr : &found;
  }
  [[nodiscard]] float scale() const { return scale_; }
  /// The accumulator of a parameter's gradient, or null if the tensor is none.
  [[nodiscard]] ggml_tensor* gradient_of(ggml_tensor const* parameter) const;

 private:
  float scale_;
  ggml_context_ptr context_;
  ggml_backend_buffer_ptr values_, gradients_;
  std::vector<std::array<low_rank_tensors, block_matrices>> layers_;
};
