#pragma once

#include <cstddef>
#include <prefopt/adapter/ggml_memory.hpp>
#include <prefopt/core/errors.hpp>
#include <string>

// The gradient G by x through a loss of ggml's own, sum(x * G), whose gradient by x is exactly G: for what wants a loss
// as a node of the graph, as ggml_opt does. The surrogate's value means nothing: the loss is what evaluate reports.
//
//     once       auto const surrogate = prefopt::ggml_surrogate(context, x);   x: log-probs, or logits
//                ggml_set_loss(surrogate.loss);                                or ggml_opt with surrogate.terms
//     each step  compute the graph up to x
//                prefopt::ggml_numbers const seen{x};
//                prefopt::ggml_gradient d{surrogate.gradient};
//                prefopt::evaluate(…, seen.values(), …, d.values(), …);
//                d.store();
//                ggml_graph_reset(graph): the loss's own gradient is 1; momenta of AdamW steps in that graph are
//                cleared, so they belong into another one
//                compute the graph with its backward pass: the forward pass is computed twice, which
//                ggml_expand_backward does without

namespace prefopt::inline PREFOPT_ABI {

/// What stands for the loss in ggml's graph.
template <class Tensor>
struct ggml_surrogate_loss {
  Tensor* gradient;  ///< the leaf G, of the shape of x
  Tensor* terms;     ///< x * G: the outputs of a ggml_opt with GGML_OPT_LOSS_TYPE_SUM
  Tensor* loss;      ///< sum(x * G): what a loop of one's own gives to ggml_set_loss
};

/// Adds sum(x * G) to a context, and marks x and G so that ggml's allocators keep them: both are needed between two
/// computations. x is what prefopt differentiates by: log-probs of sequences or tokens, or logits.
///     throws   std::invalid_argument, with nothing added: x that is not f32 or has gaps inside its rows, which ggml
///              cannot multiply; a context without room for three tensors
template <class Context, detail::ggml_tensor_like Tensor>
ggml_surrogate_loss<Tensor> ggml_surrogate(Context* context, Tensor* x) {
  constexpr char const* where = "ggml_surrogate";
  if (context == nullptr) detail::fail(where, "the context is null");
  detail::check_numbers(where, x);
  detail::check_f32(where, *x);
  if (x->nb[0] != sizeof(float)) {
    detail::fail_tensor(
        where, *x, "has a stride of " + std::to_string(x->nb[0]) + " bytes in its rows (nb[0]), expected 4: ggml_cont");
  }
  std::size_t data = 0;
  if (!ggml_get_no_alloc(context)) {
    data = 2 * sizeof(float) * static_cast<std::size_t>(x->ne[0] * x->ne[1] * x->ne[2] * x->ne[3]) + 3 * 16;
  }
  detail::check_room(where, context, 3 * detail::ggml_tensor_bytes<Tensor> + data, "three tensors");
  auto* const gradient = ggml_dup_tensor(context, x);
  ggml_set_name(gradient, "prefopt_gradient");
  ggml_set_input(gradient);
  ggml_set_output(gradient);
  detail::keep(x);
  auto* const terms = ggml_mul(context, x, gradient);
  return {gradient, terms, ggml_sum(context, terms)};
}

}  // namespace prefopt::inline PREFOPT_ABI
