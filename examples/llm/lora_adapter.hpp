#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "block_matrix.hpp"
#include "llama_shape.hpp"

struct lora_options {
  std::size_t rank = 8;
  double alpha = 16;  ///< y = W x + alpha / rank B A x
  std::vector<block_matrix> matrices{block_matrix::q, block_matrix::v};
  std::uint64_t seed = 1;
};

/// W [outputs, inputs] + scale B A, of which A is [rank, inputs] and B [outputs, rank], both row-major and f32.
struct lora_matrix {
  std::size_t layer;
  block_matrix matrix;
  std::size_t inputs, outputs;
  std::size_t a, b;  ///< where they begin in values() and gradients()
};

/// Every number that is trained, and its gradient, in two flat arrays: an optimizer's step, a checkpoint and a sum over
/// ranks are loops over these. A begins as uniform random numbers within ±1/sqrt(inputs), the same on every machine,
/// B as zeros, so that the adapter begins as nothing.
class lora_adapter {
 public:
  /// Rank 0 or above the width, an alpha that is no positive number, no matrix: input_error.
  lora_adapter(llama_shape const& shape, lora_options options);

  /// What save() wrote; rank, alpha and matrices are the file's. Another architecture, matrices that do not belong to
  /// this shape, that are missing in some layers, of several ranks, numbers that are not finite: input_error.
  static lora_adapter load(std::filesystem::path const& file, llama_shape const& shape);
  /// As llama.cpp loads it (--lora): GGUF, general.type adapter, adapter.type lora, f32.
  /// Throws input_error if it cannot be written, which leaves no half a file.
  void save(std::filesystem::path const& file) const;

  [[nodiscard]] lora_options const& options() const { return options_; }
  [[nodiscard]] float scale() const { return static_cast<float>(options_.alpha / static_cast<double>(options_.rank)); }
  [[nodiscard]] std::span<lora_matrix const> matrices() const { return matrices_; }

  [[nodiscard]] std::span<float> values() { return values_; }
  [[nodiscard]] std::span<float const> values() const { return values_; }
  [[nodiscard]] std::span<float> gradients() { return gradients_; }
  [[nodiscard]] std::span<float const> gradients() const { return gradients_; }
  void clear_gradients();

 private:
  lora_options options_;
  std::vector<lora_matrix> matrices_;
  std::vector<float> values_, gradients_;
};
