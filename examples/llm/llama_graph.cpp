#include "llama_graph.hpp"

#include <cmath>
#include <cstdint>
#include <limits>

namespace {

std::int64_t extent(std::size_t size) { return static_cast<std::int64_t>(size); }

ggml_context_ptr make_context(std::size_t bytes) {
  return ggml_context_ptr{ggml_init({.mem_size = bytes, .mem_buffer = nullptr, .no_alloc = true})};
}

template <class T>
void upload(ggml_tensor* tensor, std::vector<T> const& values) {
  ggml_backend_tensor_set(tensor, values.data(), 0, values.size() * sizeof(T));
}

ggml_tensor* some_rows(ggml_context* context, ggml_tensor* x, std::size_t begin, std::size_t count) {
  return ggml_view_3d(context, x, x->ne[0], x->ne[1], extent(count), x->nb[1], x->nb[2], begin * x->nb[2]);
}

/// What is added to the logits of an attention piece: [keys, queries].
std::vector<float> causal_mask(attention_piece const& piece) {
  std::size_t const keys = piece.keys();
  std::vector<float> mask(keys * piece.queries);
  for (std::size_t query = 0; query < piece.queries; ++query) {
    for (std::size_t key = piece.past + query + 1; key < keys; ++key) {
      mask[query * keys + key] = -std::numeric_limits<float>::infinity();
    }
  }
  return mask;
}

}  // namespace

llama_graph::llama_graph(llama_shape const& shape, llama_weights const& weights, adapter_tensors const* adapter,
                         packed_tokens tokens, ggml_backend_t backend)
    : shape_{shape},
      weights_{weights},
      adapter_{adapter},
      pieces_{pieces_of(tokens)},
      // Forward 20 a piece and 60 a block with adapters everywhere; the backward pass has up to four times as many.
      most_nodes_{shape.layers * (320 + 128 * pieces_.size()) + 64},
      context_{make_context(most_nodes_ * ggml_tensor_overhead() + 4 * ggml_graph_overhead_custom(most_nodes_, true))},
      input_context_{make_context((8 + 2 * pieces_.size()) * ggml_tensor_overhead())} {
  make_inputs(tokens, backend);
  auto* x = ggml_get_rows(context(), weights.embedding, ids_);
  for (std::size_t layer = 0; layer < shape.layers; ++layer) x = block(layer, x);
  hidden_ = norm(x, weights.norm);
  ggml_set_output(hidden_);
}

void llama_graph::make_inputs(packed_tokens tokens, ggml_backend_t backend) {
  auto* const context = input_context_.get();
  std::size_t const rows = rows_of(pieces_);
  ids_ = ggml_new_tensor_1d(context, GGML_TYPE_I32, extent(rows));
  positions_ = ggml_new_tensor_1d(context, GGML_TYPE_I32, extent(rows));
  zeros_ = ggml_new_tensor_2d(context, GGML_TYPE_F32, extent(shape_.heads * shape_.head_width), extent(rows));
  d_hidden_ = ggml_new_tensor_2d(context, GGML_TYPE_F32, extent(shape_.width), extent(rows));
  for (auto const& piece : pieces_) {
    auto& mask = masks_[{piece.past, piece.queries}];
    if (mask == nullptr) {
      mask = ggml_new_tensor_2d(context, GGML_TYPE_F32, extent(piece.keys()), extent(piece.queries));
    }
    key_rows_.push_back(piece.is_in_a_row() ? nullptr
                                            : ggml_new_tensor_1d(context, GGML_TYPE_I32, extent(piece.keys())));
  }
  inputs_.reset(ggml_backend_alloc_ctx_tensors(context, backend));
  ggml_backend_buffer_clear(inputs_.get(), 0);
  // Rows behind the last sequence are token 0 at position 0; nothing that is read comes from them.
  std::vector<std::int32_t> positions(rows);
  for (std::size_t p = 0; p < pieces_.size(); ++p) {
    auto const& piece = pieces_[p];
    for (std::size_t i = 0; i < piece.queries; ++i) {
      positions[piece.row + i] = static_cast<std::int32_t>(piece.past + i);
    }
    upload(masks_.at({piece.past, piece.queries}), causal_mask(piece));
    if (key_rows_[p] != nullptr) upload(key_rows_[p], piece.key_rows());
  }
  upload(positions_, positions);
  ggml_backend_tensor_set(ids_, tokens.ids.data(), 0, tokens.ids.size_bytes());
}

ggml_tensor* llama_graph::norm(ggml_tensor* x, ggml_tensor* weight) const {
  return ggml_mul(context(), ggml_rms_norm(context(), x, shape_.norm_epsilon), weight);
}

ggml_tensor* llama_graph::linear(std::size_t layer, block_matrix matrix, ggml_tensor* x) const {
  auto* const y = ggml_mul_mat(context(), weights_.blocks[layer][matrix], x);
  auto const* const low_rank = adapter_ == nullptr ? nullptr : adapter_->find(layer, matrix);
  if (low_rank == nullptr) return y;
  auto* const z = ggml_scale(context(), ggml_mul_mat(context(), low_rank->a, x), adapter_->scale());
  return ggml_add(context(), y, ggml_mul_mat(context(), low_rank->b, z));
}

ggml_tensor* llama_graph::heads(ggml_tensor* x, std::size_t count) const {
  return ggml_reshape_3d(context(), x, extent(shape_.head_width), extent(count), x->ne[1]);
}

ggml_tensor* llama_graph::rotated(ggml_tensor* x) const {
  // Pairs of neighbours; the last four numbers belong to a scaling that shape_of refuses.
  return ggml_rope_ext(context(), x, positions_, weights_.rope_factors, static_cast<int>(shape_.head_width),
                       GGML_ROPE_TYPE_NORMAL, static_cast<int>(shape_.context_length), shape_.rope_base,
                       shape_.rope_scale, 0, 1, 32, 1);
}

/// One piece behind the other: [heads x width, tokens].
ggml_tensor* llama_graph::attention(ggml_tensor* q, ggml_tensor* k, ggml_tensor* v) const {
  auto* all = ggml_dup(context(), zeros_);
  for (std::size_t piece = 0; piece < pieces_.size(); ++piece) {
    all = ggml_acc(context(), all, attention(q, k, v, piece), all->nb[1], all->nb[2], all->nb[3],
                   pieces_[piece].row * all->nb[1]);
  }
  return all;
}

/// What x, [width, heads, rows], has in the rows of a piece's keys.
ggml_tensor* llama_graph::keys(ggml_tensor* x, std::size_t piece) const {
  auto const& where = pieces_[piece];
  auto* const rows = key_rows_[piece];
  if (rows == nullptr) return some_rows(context(), x, where.row - where.past, where.keys());
  auto* const matrix = ggml_reshape_2d(context(), x, x->ne[0] * x->ne[1], x->ne[2]);
  return ggml_reshape_3d(context(), ggml_get_rows(context(), matrix, rows), x->ne[0], x->ne[1], rows->ne[0]);
}

ggml_tensor* llama_graph::attention(ggml_tensor* q, ggml_tensor* k, ggml_tensor* v, std::size_t index) const {
  auto* const nodes = context();
  auto const& piece = pieces_[index];
  // [head width, rows, heads]
  auto* const queries = ggml_permute(nodes, some_rows(nodes, q, piece.row, piece.queries), 0, 2, 1, 3);
  auto* const logits = ggml_mul_mat(nodes, ggml_permute(nodes, keys(k, index), 0, 2, 1, 3), queries);
  auto* const shares = ggml_soft_max_ext(nodes, logits, masks_.at({piece.past, piece.queries}),
                                         1 / std::sqrt(static_cast<float>(shape_.head_width)), 0);
  // [rows, head width, heads]. The reshape makes ggml lay the gradient out in rows before it is added to that of v.
  auto* const seen = keys(v, index);
  auto* const values = ggml_cont(nodes, ggml_permute(nodes, ggml_reshape(nodes, seen, seen), 1, 2, 0, 3));
  auto* const mixed = ggml_permute(nodes, ggml_mul_mat(nodes, values, shares), 0, 2, 1, 3);
  return ggml_cont_2d(nodes, mixed, mixed->ne[0] * mixed->ne[1], mixed->ne[2]);
}

ggml_tensor* llama_graph::block(std::size_t layer, ggml_tensor* x) const {
  auto const& weights = weights_.blocks[layer];
  auto* const seen = norm(x, weights.attention_norm);
  auto* const q = rotated(heads(linear(layer, block_matrix::q, seen), shape_.heads));
  auto* const k = rotated(heads(linear(layer, block_matrix::k, seen), shape_.kv_heads));
  auto* const v = heads(linear(layer, block_matrix::v, seen), shape_.kv_heads);
  auto* const attended = ggml_add(context(), x, linear(layer, block_matrix::o, attention(q, k, v)));
  auto* const input = norm(attended, weights.feed_forward_norm);
  auto* const gated =
      ggml_swiglu_split(context(), linear(layer, block_matrix::gate, input), linear(layer, block_matrix::up, input));
  return ggml_add(context(), attended, linear(layer, block_matrix::down, gated));
}
