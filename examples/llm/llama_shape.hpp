#pragma once

#include <cstddef>

class gguf_file;

/// What a file of the Llama architecture says about its model, beside the weights.
struct llama_shape {
  std::size_t layers = 0, width = 0, heads = 0, kv_heads = 0, head_width = 0, feed_forward = 0;
  std::size_t vocabulary = 0;
  std::size_t context_length = 0;  ///< tokens a sequence that it was made for
  float norm_epsilon = 0;
  float rope_base = 10000;
  float rope_scale = 1;  ///< of positions: 1 / the file's factor where it is "linear"
};

/// Another architecture, experts, other scalings of positions, numbers that do not fit: input_error.
llama_shape shape_of(gguf_file const& file);
