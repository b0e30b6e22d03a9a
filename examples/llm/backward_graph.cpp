#include "backward_graph.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <map>
#include <vector>

namespace {

/// Rows [begin, end) of a weight's transpose, in f32: a block of rows of the weight is turned into numbers at a time.
void transpose_part(ggml_tensor const& weight, float* transposed, std::size_t begin, std::size_t end) {
  auto const inputs = static_cast<std::size_t>(weight.ne[0]), outputs = static_cast<std::size_t>(weight.ne[1]);
  constexpr std::size_t block = 16;
  auto const to_float = ggml_get_type_traits(weight.type)->to_float;
  std::vector<float> rows(block * inputs);
  for (std::size_t first = begin; first < end; first += block) {
    std::size_t const count = std::min(block, end - first);
    for (std::size_t row = 0; row < count; ++row) {
      auto const* const source = static_cast<char const*>(weight.data) + (first + row) * weight.nb[1];
      if (weight.type == GGML_TYPE_F32) {
        std::memcpy(&rows[row * inputs], source, inputs * sizeof(float));
      } else {
        to_float(source, &rows[row * inputs], weight.ne[0]);
      }
    }
    for (std::size_t column = 0; column < inputs; ++column) {
      float* const target = transposed + column * outputs + first;
      for (std::size_t row = 0; row < count; ++row) target[row] = rows[row * inputs + column];
    }
  }
}

/// A custom operator of ggml's: dst [outputs, inputs] from the weight [inputs, outputs].
void transpose(ggml_tensor* dst, int thread, int threads, void*) {
  auto const outputs = static_cast<std::size_t>(dst->ne[0]);
  auto const part = [&](int i) { return outputs * static_cast<std::size_t>(i) / static_cast<std::size_t>(threads); };
  transpose_part(*dst->src[0], static_cast<float*>(dst->data), part(thread), part(thread + 1));
}

/// The product of a frozen weight with a gradient, which ggml computes without blocks, and of quantized weights by
/// making numbers of each row for each token anew: as a plain product with the transposed weight.
void multiply_by_transpose(ggml_context* context, ggml_tensor* product, std::vector<ggml_tensor*>& nodes) {
  // The gradient's transpose is read no more: a view that is left without a reader keeps its memory for good.
  nodes.erase(std::find(nodes.rbegin(), nodes.rend(), product->src[1]).base() - 1);
  auto* weight = product->src[0];
  auto* const transposed = ggml_custom_4d(context, GGML_TYPE_F32, weight->ne[1], weight->ne[0], 1, 1, &weight, 1,
                                          transpose, GGML_N_TASKS_MAX, nullptr);
  transposed->flags |= GGML_TENSOR_FLAG_COMPUTE;
  nodes.push_back(transposed);
  product->op = GGML_OP_MUL_MAT;
  product->src[0] = transposed;
  product->src[1] = product->src[1]->src[0];
  std::memset(product->op_params, 0, sizeof product->op_params);
}

/// What is added up from pieces that are written once each into memory that nothing else reads need not be copied at
/// each piece, as ggml does.
void add_in_place(ggml_tensor* sum) {
  auto* const before = sum->src[0];
  bool const is_first = before->op == GGML_OP_DUP || before->op == GGML_OP_SCALE;
  if (!is_first && !(before->op == GGML_OP_ACC && before->view_src != nullptr)) return;
  sum->view_src = is_first ? before : before->view_src;
  sum->view_offs = 0;
  std::int32_t const in_place = 1;
  std::memcpy(reinterpret_cast<char*>(sum->op_params) + 4 * sizeof in_place, &in_place, sizeof in_place);
}

/// Numbers of the forward pass that are cheaper to compute again than to keep: what a norm or a gate makes of others that
/// are kept in any case. Each is made once in the backward pass, where it is first read.
class recomputed_nodes {
 public:
  recomputed_nodes(ggml_context* context, std::vector<ggml_tensor*>& nodes) : context_{context}, nodes_{nodes} {}

  void replace_sources(ggml_tensor* node) {
    for (auto*& source : node->src) {
      if (source == nullptr) continue;
      bool const is_norm = source->op == GGML_OP_MUL && source->src[0]->op == GGML_OP_RMS_NORM;
      if (!is_norm && source->op != GGML_OP_GLU) continue;
      auto& made = made_[source];
      if (made == nullptr) made = is_norm ? copy(source, copy(source->src[0], nullptr)) : copy(source, nullptr);
      source = made;
    }
  }

 private:
  /// The same operator on the same sources, but for the first where another is given.
  ggml_tensor* copy(ggml_tensor const* node, ggml_tensor* first) {
    auto* const made = ggml_new_tensor(context_, node->type, GGML_MAX_DIMS, node->ne);
    made->op = node->op;
    made->flags |= GGML_TENSOR_FLAG_COMPUTE;
    std::memcpy(made->op_params, node->op_params, sizeof made->op_params);
    std::copy(std::begin(node->src), std::end(node->src), std::begin(made->src));
    if (first != nullptr) made->src[0] = first;
    nodes_.push_back(made);
    return made;
  }

  ggml_context* context_;
  std::vector<ggml_tensor*>& nodes_;
  std::map<ggml_tensor const*, ggml_tensor*> made_;
};

bool is_frozen_weight(ggml_tensor const* tensor) {
  return tensor->op == GGML_OP_NONE && (tensor->flags & GGML_TENSOR_FLAG_PARAM) == 0;
}

void write_pieces_in_place(ggml_cgraph* graph) {
  for (int i = 0; i < ggml_graph_n_nodes(graph); ++i) {
    if (auto* const node = ggml_graph_node(graph, i); node->op == GGML_OP_ACC) add_in_place(node);
  }
}

}  // namespace

ggml_cgraph* forward_graph_of(llama_graph const& graph) {
  auto* const made = ggml_new_graph_custom(graph.context(), graph.most_nodes(), false);
  ggml_build_forward_expand(made, graph.hidden());
  write_pieces_in_place(made);
  return made;
}

trained_graphs trained_graphs_of(llama_graph const& graph, adapter_tensors const& adapter) {
  auto* const context = graph.context();
  auto const make = [&](bool differentiated) {
    return ggml_new_graph_custom(context, graph.most_nodes(), differentiated);
  };
  trained_graphs made{make(false), make(false), make(false)};
  ggml_build_forward_expand(made.forward, graph.hidden());

  // A tensor with an accumulator is where ggml's backward pass begins, if it is marked as a loss.
  auto* const whole = make(true);
  ggml_build_forward_expand(whole, graph.hidden());
  graph.hidden()->flags |= GGML_TENSOR_FLAG_LOSS;
  int const forward_nodes = ggml_graph_n_nodes(whole);
  std::vector<ggml_tensor*> accumulators(static_cast<std::size_t>(forward_nodes));
  for (int i = 0; i < forward_nodes; ++i) {
    auto const* const node = ggml_graph_node(whole, i);
    accumulators[static_cast<std::size_t>(i)] = node == graph.hidden() ? graph.d_hidden() : adapter.gradient_of(node);
  }
  ggml_build_backward_expand(context, whole, accumulators.data());

  std::vector<ggml_tensor*> nodes;
  recomputed_nodes recomputed{context, nodes};
  for (int i = forward_nodes; i < ggml_graph_n_nodes(whole); ++i) {
    auto* const node = ggml_graph_node(whole, i);
    if (node->op == GGML_OP_OUT_PROD && is_frozen_weight(node->src[0]) && node->src[1]->op == GGML_OP_TRANSPOSE) {
      multiply_by_transpose(context, node, nodes);
    }
    recomputed.replace_sources(node);
    nodes.push_back(node);
  }
  for (auto* const node : nodes) ggml_graph_add_node(made.backward, node);
  for (int i = 0; i < forward_nodes; ++i) ggml_graph_add_node(made.both, ggml_graph_node(whole, i));
  for (auto* const node : nodes) ggml_graph_add_node(made.both, node);
  write_pieces_in_place(made.both);
  return made;
}
