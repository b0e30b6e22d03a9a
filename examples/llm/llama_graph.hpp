#pragma once

#include <ggml-cpp.h>

#include <cstddef>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "adapter_tensors.hpp"
#include "attention_piece.hpp"
#include "llama_shape.hpp"
#include "llama_weights.hpp"
#include "packed_tokens.hpp"

/// The graph from token ids to the hidden states behind the last norm, of operators that ggml differentiates. Weights
/// and the adapter are where they are; inputs have a buffer of their own; the rest is to be allocated.
class llama_graph {
 public:
  /// Without an adapter: `adapter` is null.
  llama_graph(llama_shape const& shape, llama_weights const& weights, adapter_tensors const* adapter,
              packed_tokens tokens, ggml_backend_t backend);

  /// What the graph and its backward pass are made in.
  [[nodiscard]] ggml_context* context() const { return context_.get(); }
  /// Nodes that a graph with its backward pass has at most.
  [[nodiscard]] std::size_t most_nodes() const { return most_nodes_; }
  /// [width, rows]: those of the tokens, and a few behind them that mean nothing.
  [[nodiscard]] ggml_tensor* hidden() const { return hidden_; }
  /// Like hidden(), an input: the loss's gradient by it, 0 for the rows behind the tokens.
  [[nodiscard]] ggml_tensor* d_hidden() const { return d_hidden_; }

 private:
  void make_inputs(packed_tokens tokens, ggml_backend_t backend);
  ggml_tensor* norm(ggml_tensor* x, ggml_tensor* weight) const;
  ggml_tensor* linear(std::size_t layer, block_matrix matrix, ggml_tensor* x) const;
  ggml_tensor* heads(ggml_tensor* x, std::size_t count) const;
  ggml_tensor* rotated(ggml_tensor* x) const;
  ggml_tensor* attention(ggml_tensor* q, ggml_tensor* k, ggml_tensor* v) const;
  ggml_tensor* attention(ggml_tensor* q, ggml_tensor* k, ggml_tensor* v, std::size_t piece) const;
  ggml_tensor* keys(ggml_tensor* x, std::size_t piece) const;
  ggml_tensor* block(std::size_t layer, ggml_tensor* x) const;

  llama_shape const& shape_;
  llama_weights const& weights_;
  adapter_tensors const* adapter_;
  std::vector<attention_piece> pieces_;
  std::size_t most_nodes_;
  ggml_context_ptr context_, input_context_;
  ggml_backend_buffer_ptr inputs_;
  ggml_tensor *ids_ = nullptr, *positions_ = nullptr, *zeros_ = nullptr, *hidden_ = nullptr, *d_hidden_ = nullptr;
  std::map<std::pair<std::size_t, std::size_t>, ggml_tensor*> masks_;  ///< by past and queries
  std::vector<ggml_tensor*> key_rows_;                                 ///< of each piece; null: they are in a row
};
