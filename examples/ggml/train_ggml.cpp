// A small language model in ggml's own operations, trained by preferences: from the logits that its graph ends in, and
// from its hidden states, so that logits exist some rows at a time.

#include <ggml-cpp.h>
#include <ggml-cpu.h>
#include <CLI/CLI.hpp>

#include <cmath>
#include <cstdio>
#include <prefopt/adapter/eigen_product.hpp>
#include <prefopt/adapter/ggml.hpp>
#include <random>
#include <span>
#include <stdexcept>
#include <vector>

#include "command_line.hpp"
#include "gradient_check.hpp"
#include "loss_options.hpp"
#include "run_program.hpp"
#include "sequence_loss.hpp"
#include "token_task.hpp"

namespace {

constexpr std::size_t vocabulary = token_task::vocabulary, width = 16, predicted = token_task::length - 1;

std::int64_t extent(std::size_t size) { return static_cast<std::int64_t>(size); }

ggml_context_ptr make_context(std::size_t bytes) {
  return ggml_context_ptr{ggml_init({.mem_size = bytes, .mem_buffer = nullptr, .no_alloc = true})};
}

template <class T>
void upload(ggml_tensor* tensor, std::vector<T> const& values) {
  ggml_backend_tensor_set(tensor, values.data(), 0, values.size() * sizeof(T));
}

/// Each token predicts the next: token -> embedding -> SiLU -> logits.
class language_model {
 public:
  language_model() {
    embedding = ggml_new_tensor_2d(context_.get(), GGML_TYPE_F32, extent(width), extent(vocabulary));
    head = ggml_new_tensor_2d(context_.get(), GGML_TYPE_F32, extent(width), extent(vocabulary));
    for (auto* parameter : {embedding, head}) ggml_set_param(parameter);
    buffer_.reset(ggml_backend_alloc_ctx_tensors(context_.get(), backend.get()));
    ggml_backend_cpu_set_n_threads(backend.get(), 1);
    std::minstd_rand random{7};
    for (auto* parameter : {embedding, head}) {
      std::vector<float> values(width * vocabulary);
      for (auto& value : values) value = 1e-3F * static_cast<float>(random() % 1000) - 0.5F;
      upload(parameter, values);
    }
  }

  ggml_tensor* hidden_states(ggml_context* context, ggml_tensor* tokens) const {
    return ggml_silu(context, ggml_get_rows(context, embedding, tokens));
  }

  ggml_backend_ptr backend{ggml_backend_cpu_init()};
  ggml_tensor *embedding = nullptr, *head = nullptr;

 private:
  ggml_context_ptr context_ = make_context(4 * ggml_tensor_overhead());
  ggml_backend_buffer_ptr buffer_;
};

/// What a graph ends in and prefopt begins with.
enum class level { hidden_states, logits };

/// The graph of one set of pairs: all chosen sequences, then all rejected ones.
class pair_graph {
 public:
  pair_graph(language_model& model, level ends_in, std::span<token_task::pair const> pairs)
      : pairs_{pairs.size()}, model_{model} {
    auto* const context = context_.get();
    auto* const tokens = ggml_new_tensor_1d(context, GGML_TYPE_I32, extent(2 * pairs_ * predicted));
    x_ = model.hidden_states(context, tokens);
    if (ends_in == level::logits) x_ = ggml_mul_mat(context, model.head, x_);
    if (ends_in == level::hidden_states) d_head_ = ggml_dup_tensor(context, model.head);
    auto* const graph = ggml_new_graph_custom(context, nodes, true);
    ggml_build_forward_expand(graph, x_);
    parts_ = prefopt::ggml_expand_backward(context, graph, x_, ggml_version());

    d_embedding_ = ggml_graph_get_grad(graph, model.embedding);
    if (d_head_ == nullptr) d_head_ = ggml_graph_get_grad(graph, model.head);
    adamw_ = ggml_new_tensor_1d(context, GGML_TYPE_F32, 7);
    for (auto* parameter : {model.embedding, model.head}) {
      auto* const m = ggml_dup_tensor(context, parameter);
      auto* const v = ggml_dup_tensor(context, parameter);
      auto* const step = ggml_opt_step_adamw(context, parameter, gradient_of(parameter), m, v, adamw_);
      ggml_build_forward_expand(graph, step);
      ggml_graph_add_node(update_, step);
    }
    buffer_.reset(ggml_backend_alloc_ctx_tensors(context, model.backend.get()));
    ggml_backend_buffer_clear(buffer_.get(), 0);
    fill(tokens, pairs);
  }

  /// The loss, and unless `differentiates` is false its gradient by every parameter.
  prefopt::report evaluate(sequence_loss const& loss, std::span<float const> reference, bool differentiates) {
    compute(parts_.forward);
    auto* const gradient = differentiates ? parts_.gradient : nullptr;
    auto const seen = loss.with_batch(2 * pairs_, reference, [&](auto const& some_loss, auto const& batch) {
      if (is_from_logits()) return prefopt::ggml_evaluate(some_loss, x_, gradient, rows(), batch);
      return prefopt::ggml_evaluate(some_loss, x_, head(differentiates), gradient, rows(), batch);
    });
    if (differentiates) compute(parts_.backward);
    return seen;
  }

  /// The log-probs of the sequences.
  std::vector<float> log_probs() {
    compute(parts_.forward);
    return is_from_logits() ? prefopt::ggml_log_probs(x_, rows()) : prefopt::ggml_log_probs(x_, head(false), rows());
  }

  /// A step of ggml's AdamW, by the gradients of the last evaluation.
  void update(float rate) {
    ++steps_;
    float const beta1 = 0.9F, beta2 = 0.999F;
    auto const corrected = [&](float beta) { return 1 / (1 - std::pow(beta, static_cast<float>(steps_))); };
    upload(adamw_, std::vector{rate, beta1, beta2, 1e-8F, 0.0F, corrected(beta1), corrected(beta2)});
    compute(update_);
  }

  [[nodiscard]] ggml_tensor* gradient_of(ggml_tensor const* parameter) const {
    return parameter == model_.head ? d_head_ : d_embedding_;
  }

 private:
  [[nodiscard]] bool is_from_logits() const { return x_->ne[0] == model_.head->ne[1]; }
  [[nodiscard]] prefopt::token_rows rows() const { return {.labels = labels_, .tokens_per_sequence = predicted}; }
  [[nodiscard]] prefopt::ggml_head<ggml_tensor, prefopt::eigen_product> head(bool differentiates) const {
    return prefopt::ggml_head<ggml_tensor, prefopt::eigen_product>{model_.head, {}, differentiates ? d_head_ : nullptr};
  }

  void fill(ggml_tensor* tokens, std::span<token_task::pair const> pairs) {
    std::vector<std::int32_t> inputs;
    for (auto const side : {&token_task::pair::chosen, &token_task::pair::rejected}) {
      for (auto const& pair : pairs) {
        auto const& sequence = pair.*side;
        inputs.insert(inputs.end(), sequence.begin(), sequence.end() - 1);
        labels_.insert(labels_.end(), sequence.begin() + 1, sequence.end());
      }
    }
    upload(tokens, inputs);
  }

  void compute(ggml_cgraph* graph) {
    if (ggml_backend_graph_compute(model_.backend.get(), graph) != GGML_STATUS_SUCCESS) {
      throw std::runtime_error("ggml could not compute the graph");
    }
  }

  static constexpr std::size_t nodes = 64;

  std::size_t pairs_, steps_ = 0;
  language_model& model_;
  std::vector<std::int64_t> labels_;
  ggml_context_ptr context_ =
      make_context(4 * nodes * ggml_tensor_overhead() + 4 * ggml_graph_overhead_custom(nodes, true));
  ggml_backend_buffer_ptr buffer_;
  ggml_tensor *x_ = nullptr, *d_embedding_ = nullptr, *d_head_ = nullptr, *adamw_ = nullptr;
  prefopt::ggml_training<ggml_cgraph, ggml_tensor> parts_{};
  ggml_cgraph* update_ = ggml_new_graph_custom(context_.get(), nodes, false);
};

/// ggml's gradient of a few pairs' loss, by every parameter. The reference is the model as it was.
bool gradient_agrees(sequence_loss const& loss, level ends_in, std::span<token_task::pair const> pairs) {
  language_model model;
  pair_graph graph{model, ends_in, pairs};
  auto const reference = graph.log_probs();
  // One step away from the reference, where the pairs differ in their slope.
  graph.evaluate(loss, reference, true);
  graph.update(0.1F);
  graph.evaluate(loss, reference, true);

  gradient_check check{1.0 / 16};
  for (auto* parameter : {model.embedding, model.head}) {
    prefopt::ggml_numbers const d{graph.gradient_of(parameter)};
    for (std::size_t i = 0; i < width * vocabulary; ++i) {
      float value = 0;
      ggml_backend_tensor_get(parameter, &value, i * sizeof value, sizeof value);
      check(value, d.values()[i], [&](float moved) {
        ggml_backend_tensor_set(parameter, &moved, i * sizeof moved, sizeof moved);
        return graph.evaluate(loss, reference, false).loss;
      });
    }
  }
  return check.passed(loss.name().c_str());
}

bool learns(sequence_loss const& loss, level ends_in, token_task const& task, int steps) {
  language_model model;
  pair_graph train{model, ends_in, task.train}, held_out{model, ends_in, task.held_out};
  auto const reference = train.log_probs(), held_out_reference = held_out.log_probs();
  double const loss_before = train.evaluate(loss, reference, false).loss;
  double const accuracy_before = held_out.evaluate(loss, held_out_reference, false).accuracy;
  for (int step = 0; step < steps; ++step) {
    train.evaluate(loss, reference, true);
    train.update(0.03F);
  }
  double const loss_after = train.evaluate(loss, reference, false).loss;
  double const accuracy_after = held_out.evaluate(loss, held_out_reference, false).accuracy;
  std::printf("%s: loss %.4f -> %.4f, held-out accuracy %.3f -> %.3f\n", loss.name().c_str(), loss_before, loss_after,
              accuracy_before, accuracy_after);
  return accuracy_after >= 0.8;
}

constexpr char introduction[] =
    "Trains a small language model in ggml by preferences, and checks ggml's gradient: from the model's hidden states, "
    "and from its logits.";

constexpr char manual[] = R"(
Without --loss: dpo (beta 0.5) from hidden states, simpo (beta 2, gamma 0.5) from logits. Losses are those of prefopt_score, of
pairs or of single completions, as far as they read no columns beyond log-probs, reference, lengths and labels.
Exit status 1 if a gradient is wrong or less than 0.8 of the held-out pairs are ranked right.)";

bool is_right(loss_choice const& choice, level ends_in, token_task const& task, int steps) {
  sequence_loss const loss{choice};
  bool const agrees = gradient_agrees(loss, ends_in, std::span{task.train}.first(16));
  return (steps == 0 || learns(loss, ends_in, task, steps)) && agrees;
}

int run(int argc, char** argv) {
  CLI::App app{introduction, "train_ggml"};
  app.footer(manual);
  loss_options const losses{app, "a loss of pairs or of single completions, see prefopt_score --losses"};
  int steps = 100;
  app.add_option("--steps", steps, "of training; 0 checks the gradient alone")
      ->type_name("N")
      ->default_val(steps)
      ->check(CLI::Range(0, 100000).description(""));
  if (!parse_command_line(app, argc, argv)) return 0;
  auto const chosen = losses.chosen("dpo");
  bool const is_given = app.count("--loss") != 0;
  token_task const task;
  bool const by_hidden_states =
      is_right(is_given ? chosen : loss_choice{.name = "dpo", .base = {}, .parameters = {{"beta", 0.5}}},
               level::hidden_states, task, steps);
  bool const by_logits = is_right(
      is_given ? chosen : loss_choice{.name = "simpo", .base = {}, .parameters = {{"beta", 2}, {"gamma", 0.5}}},
      level::logits, task, steps);
  return by_hidden_states && by_logits ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  return run_program("train_ggml", [&] { return run(argc, argv); });
}
