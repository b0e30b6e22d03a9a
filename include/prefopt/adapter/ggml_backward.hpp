#pragma once

#include <algorithm>
#include <cstddef>
#include <prefopt/adapter/ggml_graph_check.hpp>
#include <prefopt/adapter/ggml_memory.hpp>
#include <prefopt/core/errors.hpp>
#include <string>

namespace prefopt::inline PREFOPT_ABI {

/// A training graph in two parts, which are computed one after the other, and what goes in between.
template <class Graph, class Tensor>
struct ggml_training {
  Graph* forward;    ///< up to x, and all else that was in the graph
  Tensor* gradient;  ///< of the loss by x, f32, of the shape of x: see ggml_gradient
  Graph* backward;   ///< the rest; ggml_graph_add_node puts more into it, as an optimizer's steps
};

/// The backward pass of a graph that ends in x, with the loss's gradient by x as what it begins with: ggml's gradient
/// accumulator of x. No loss is a node of the graph, and the forward pass is computed once.
///     once        ggml_set_param of what is trained
///                 graph = ggml_new_graph_custom(context, size, true); ggml_build_forward_expand(graph, x)
///                 training = ggml_expand_backward(context, graph, x, ggml_version())
///                 optimizer's steps, if any, with ggml_graph_get_grad(graph, parameter): ggml_build_forward_expand(graph,
///                 step); ggml_graph_add_node(training.backward, step)
///                 memory for the whole graph: ggml_gallocr_alloc_graph(allocator, graph), say
///     each step   compute training.forward
///                 ggml_evaluate(loss, x, training.gradient, …)
///                 compute training.backward
///     kept        the gradients of the parameters, until the next forward pass, which an allocator may give their memory
///     strides     a parameter's gradient is strided if the graph transposes the parameter: ggml_is_contiguous
///     accumulators  as ggml_build_backward_expand takes them: ggml_graph_reset(graph) sets them to 0, and x's gradient
///     throws      std::invalid_argument, with nothing added: what check_ggml_graph throws for; a graph with too few
///                 places for nodes; a context that holds its tensors' data itself, or too small
///     not checked  that the graph was made with gradients (true), which ggml does not tell
template <class Context, class Graph, detail::ggml_tensor_like Tensor>
ggml_training<Graph, Tensor> ggml_expand_backward(Context* context, Graph* graph, Tensor* x, char const* version,
                                                  ggml_allocation allocation = ggml_allocation::of_graph,
                                                  Tensor** accumulators = nullptr) {
  constexpr char const* where = "ggml_expand_backward";
  if (context == nullptr) detail::fail(where, "the context is null");
  if (graph == nullptr) detail::fail(where, "the graph is null");
  detail::check_numbers(where, x);
  if (!ggml_get_no_alloc(context)) {
    detail::fail(where, "the context holds its tensors' data itself, expected ggml_init_params::no_alloc");
  }
  detail::ggml_walk<Graph, Tensor> const walk{where, graph, x, detail::release_of(where, version), allocation};
  auto const places = static_cast<std::size_t>(ggml_graph_size(graph));
  int const forward_nodes = ggml_graph_n_nodes(graph);
  auto const taken = static_cast<std::size_t>(forward_nodes);
  // Leafs have as many places of their own.
  std::size_t const wanted = std::max(taken, walk.leafs()) + walk.added_tensors();
  if (places < wanted) {
    detail::fail(where, "the graph has " + detail::text(places) + " places, expected " + detail::text(wanted) +
                            " in ggml_new_graph_custom: its backward pass may take as many");
  }
  // A graph is lists of its nodes and leafs, and a table of twice as many up to the next prime number of those that it
  // knows, each at most twice the one before.
  auto const bytes_of_graph = [](std::size_t nodes) { return 512 + 16 * nodes + (4 * nodes + 16) * 13; };
  detail::check_room(
      where, context,
      walk.added_tensors() * detail::ggml_tensor_bytes<Tensor> + bytes_of_graph(taken) + bytes_of_graph(places - taken),
      detail::text(walk.added_tensors()) + " tensors and two graphs");

  // A loss has an accumulator for its gradient. Only while the backward pass is built, since ggml takes a loss for one
  // number elsewhere.
  auto const flags = x->flags;
  x->flags |= detail::ggml_flag_loss;
  ggml_build_backward_expand(context, graph, accumulators);
  x->flags = flags;
  auto* const gradient = ggml_graph_get_grad_acc(graph, x);
  ggml_set_name(gradient, "prefopt_gradient");
  ggml_set_input(gradient);
  detail::keep(gradient);
  detail::keep(x);
  for (int i = 0; i < forward_nodes; ++i) {
    auto* const node = ggml_graph_node(graph, i);
    if ((node->flags & detail::ggml_flag_param) == 0) continue;
    if (auto* const of_parameter = ggml_graph_get_grad(graph, node)) detail::keep(of_parameter);
  }
  // Not ggml_build_forward_expand: operators are fused by how often a result is used in the graph that is computed, and
  // results that only the backward pass reads would then not be written.
  auto const part = [&](int begin, int end, std::size_t size) {
    auto* const made = ggml_new_graph_custom(context, size, false);
    for (int i = begin; i < end; ++i) ggml_graph_add_node(made, ggml_graph_node(graph, i));
    return made;
  };
  auto* const forward = part(0, forward_nodes, taken);
  return {forward, gradient, part(forward_nodes, ggml_graph_n_nodes(graph), places - taken)};
}

}  // namespace prefopt::inline PREFOPT_ABI
