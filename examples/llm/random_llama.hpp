#pragma once

#include <ggml-cpp.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

/// A small Llama with random weights, for tests: 300 tokens (bytes, some letters, signs of ChatML), the template of
/// ChatML, grouped queries.
struct random_llama {
  ggml_type type = GGML_TYPE_F32;  ///< of matrices
  std::size_t layers = 2, width = 64, heads = 4, kv_heads = 2, feed_forward = 96;
  bool tied = true;  ///< the head is the embedding
  bool rope_factors = false;
  std::uint64_t seed = 1;
  /// To make a wrong file: keys are changed at the end; a tensor is left out, or made one row or number too long.
  std::function<void(gguf_context*)> change_keys{};
  std::string without{}, too_long{}, added{};

  /// The same weights whatever the type, rounded to it.
  void write(std::filesystem::path const& file) const;
};
