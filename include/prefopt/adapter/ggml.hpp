#pragma once

#include <prefopt/adapter/ggml_backward.hpp>
#include <prefopt/adapter/ggml_evaluate.hpp>
#include <prefopt/adapter/ggml_graph_check.hpp>
#include <prefopt/adapter/ggml_numbers.hpp>
#include <prefopt/adapter/ggml_rows.hpp>
#include <prefopt/adapter/ggml_surrogate.hpp>

// ggml: a graph computes logits, hidden states or log-probs x, the library the loss and its gradient G by x, and ggml's
// backward pass begins with G.
//
//     once       check_ggml_graph(graph, x, ggml_version());      what ggml would abort at or compute wrong, as an error
//                auto const training = ggml_expand_backward(context, graph, x, ggml_version());
//     each step  compute training.forward
//                ggml_evaluate(loss, x, training.gradient, {.labels = …}, {.ref_log_prob = …});
//                compute training.backward
//     reference  ggml_log_probs(x, {.labels = …}) of the frozen model
//
// From log-probs that the graph computes itself, and for losses by any other of the library's calls: ggml_numbers and
// ggml_gradient are the tensors as its views. As a loss that is a node of the graph, for ggml_opt: ggml_surrogate.
//
// No header of ggml is needed here. Its functions are found by the types of their arguments where these templates are
// used, after <ggml.h> and <ggml-backend.h>.
