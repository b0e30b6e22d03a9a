#pragma once

#include <array>
#include <vector>

#include "block_matrix.hpp"
#include "gguf_file.hpp"
#include "llama_shape.hpp"

/// The weights of one block.
struct block_weights {
  ggml_tensor *attention_norm, *feed_forward_norm;
  std::array<ggml_tensor*, block_matrices> matrix;  ///< by block_matrix

  [[nodiscard]] ggml_tensor* operator[](block_matrix which) const { return matrix[static_cast<std::size_t>(which)]; }
};

/// All weights of a Llama, in the types of its file.
struct llama_weights {
  /// A missing tensor, one of another shape or of a type that ggml's CPU does not multiply, one that is not of this
  /// architecture: input_error.
  llama_weights(gguf_file& file, llama_shape const& shape);

  ggml_tensor* embedding;
  std::vector<block_weights> blocks;
  ggml_tensor* norm;
  ggml_tensor* head;          ///< the embedding where the file has none of its own
  ggml_tensor* rope_factors;  ///< null where the file has none
};
