#pragma once

#include <ggml-cpp.h>

#include "llama_graph.hpp"

/// The graph of the forward pass alone.
ggml_cgraph* forward_graph_of(llama_graph const& graph);

/// ggml's backward pass of a llama_graph, from the gradient by its hidden states into the adapter's accumulators, as a
/// graph of its own behind the forward one: nothing is computed twice. Where ggml's own operator is slow, another one
/// that computes the same takes its place.
struct trained_graphs {
  ggml_cgraph* forward;
  ggml_cgraph* backward;
  ggml_cgraph* both;  ///< to allocate memory for: what the backward pass reads outlives the forward pass
};
trained_graphs trained_graphs_of(llama_graph const& graph, adapter_tensors const& adapter);
