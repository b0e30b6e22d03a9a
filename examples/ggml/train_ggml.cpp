// A small language model in ggml's own operations, trained by preferences: by a loss on sequence log-probs that the graph
// computes, and by one on its logits, from which prefopt makes the log-probs.

#include <ggml-cpp.h>
#include <ggml-cpu.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <optional>
#include <prefopt/adapter/ggml.hpp>
#include <prefopt/chain/evaluate.hpp>
#include <prefopt/chain/logit_policy.hpp>
#include <prefopt/loss/cpo.hpp>
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

  ggml_tensor* logits(ggml_context* context, ggml_tensor* tokens) const {
    return ggml_mul_mat(context, head, ggml_silu(context, ggml_get_rows(context, embedding, tokens)));
  }

  ggml_backend_ptr backend{ggml_backend_cpu_init()};
  ggml_tensor *embedding = nullptr, *head = nullptr;

 private:
  ggml_context_ptr context_ = make_context(4 * ggml_tensor_overhead());
  ggml_backend_buffer_ptr buffer_;
};

/// What a graph ends in and prefopt begins with.
enum class level { log_probs, logits };

/// The graphs of one set of pairs: all chosen sequences, then all rejected ones.
class pair_graphs {
 public:
  pair_graphs(language_model& model, level ends_in, std::span<token_task::pair const> pairs)
      : pairs_{pairs.size()}, model_{model} {
    auto* const context = context_.get();
    std::int64_t const rows = extent(2 * pairs_ * predicted);
    auto* const tokens = ggml_new_tensor_1d(context, GGML_TYPE_I32, rows);
    auto* const one_hot = ggml_new_tensor_2d(context, GGML_TYPE_F32, extent(vocabulary), rows);
    x_ = model.logits(context, tokens);
    if (ends_in == level::log_probs) {
      auto* const probability = ggml_sum_rows(context, ggml_mul(context, ggml_soft_max(context, x_), one_hot));
      auto* const by_sequence =
          ggml_reshape_2d(context, ggml_log(context, probability), extent(predicted), extent(2 * pairs_));
      x_ = ggml_sum_rows(context, by_sequence);
    }
    ggml_build_forward_expand(forward_, x_);

    auto const surrogate = prefopt::ggml_surrogate(context, x_);
    d_x_ = surrogate.gradient;
    ggml_set_loss(surrogate.loss);
    ggml_build_forward_expand(backward_, surrogate.loss);
    ggml_build_backward_expand(context, backward_, nullptr);

    adamw_ = ggml_new_tensor_1d(context, GGML_TYPE_F32, 7);
    for (auto* parameter : {model.embedding, model.head}) {
      auto* const m = ggml_dup_tensor(context, parameter);
      auto* const v = ggml_dup_tensor(context, parameter);
      ggml_build_forward_expand(update_, ggml_opt_step_adamw(context, parameter, gradient_of(parameter), m, v, adamw_));
    }
    buffer_.reset(ggml_backend_alloc_ctx_tensors(context, model.backend.get()));
    ggml_backend_buffer_clear(buffer_.get(), 0);
    ggml_graph_reset(backward_);
    fill(tokens, one_hot, pairs);
  }

  void compute_forward() { compute(forward_); }
  void compute_backward() { compute(backward_); }

  /// The backward pass and a step of ggml's AdamW.
  void compute_update(float rate) {
    ++steps_;
    float const beta1 = 0.9F, beta2 = 0.999F;
    auto const corrected = [&](float beta) { return 1 / (1 - std::pow(beta, static_cast<float>(steps_))); };
    upload(adamw_, std::vector{rate, beta1, beta2, 1e-8F, 0.0F, corrected(beta1), corrected(beta2)});
    compute(update_);
  }

  [[nodiscard]] ggml_tensor const* x() const { return x_; }
  [[nodiscard]] ggml_tensor* d_x() const { return d_x_; }
  [[nodiscard]] ggml_tensor* gradient_of(ggml_tensor const* parameter) const {
    return ggml_graph_get_grad(backward_, parameter);
  }
  [[nodiscard]] std::size_t pairs() const { return pairs_; }
  [[nodiscard]] std::vector<std::int64_t> const& labels() const { return labels_; }

 private:
  void fill(ggml_tensor* tokens, ggml_tensor* one_hot, std::span<token_task::pair const> pairs) {
    std::vector<std::int32_t> inputs;
    for (auto const side : {&token_task::pair::chosen, &token_task::pair::rejected}) {
      for (auto const& pair : pairs) {
        auto const& sequence = pair.*side;
        inputs.insert(inputs.end(), sequence.begin(), sequence.end() - 1);
        labels_.insert(labels_.end(), sequence.begin() + 1, sequence.end());
      }
    }
    std::vector<float> marks(labels_.size() * vocabulary);
    for (std::size_t row = 0; row < labels_.size(); ++row) {
      marks[row * vocabulary + static_cast<std::size_t>(labels_[row])] = 1;
    }
    upload(tokens, inputs);
    upload(one_hot, marks);
  }

  void compute(ggml_cgraph* graph) {
    if (ggml_backend_graph_compute(model_.backend.get(), graph) != GGML_STATUS_SUCCESS) {
      throw std::runtime_error("ggml could not compute the graph");
    }
  }

  static constexpr std::size_t nodes = 128;

  std::size_t pairs_, steps_ = 0;
  language_model& model_;
  std::vector<std::int64_t> labels_;
  ggml_context_ptr context_ =
      make_context(4 * nodes * ggml_tensor_overhead() + 3 * ggml_graph_overhead_custom(nodes, true));
  ggml_backend_buffer_ptr buffer_;
  ggml_tensor *x_ = nullptr, *d_x_ = nullptr, *adamw_ = nullptr;
  ggml_cgraph* forward_ = ggml_new_graph_custom(context_.get(), nodes, false);
  ggml_cgraph* backward_ = ggml_new_graph_custom(context_.get(), nodes, true);
  ggml_cgraph* update_ = ggml_new_graph_custom(context_.get(), nodes, false);
};

using optional_gradient = std::optional<prefopt::ggml_gradient<ggml_tensor>>;

/// A loss on sequence log-probs; the reference is the model as it was when this was made.
class on_log_probs {
 public:
  static constexpr level reads = level::log_probs;

  on_log_probs(sequence_loss const& loss, pair_graphs& graphs) : loss_{loss} {
    graphs.compute_forward();
    prefopt::ggml_numbers const seen{graphs.x()};
    for (std::size_t i = 0; i < 2 * graphs.pairs(); ++i) reference_.push_back(seen.values()[i]);
  }

  prefopt::report operator()(pair_graphs const& graphs, optional_gradient& d) const {
    prefopt::ggml_numbers const seen{graphs.x()};
    // Rows of one number each.
    std::span<float const> const log_prob{seen.rows()[0], 2 * graphs.pairs()};
    std::span<float> gradient;
    if (d) gradient = {d->rows()[0], 2 * graphs.pairs()};
    return loss_(log_prob, reference_, static_cast<float>(predicted), gradient);
  }

 private:
  sequence_loss loss_;
  std::vector<float> reference_;
};

/// A loss on logits: log-probs, lengths and the way back through the softmax are prefopt's.
class on_logits {
 public:
  static constexpr level reads = level::logits;

  on_logits(sequence_loss const& loss, pair_graphs& graphs) : loss_{loss}, reference_(2 * graphs.pairs()) {
    graphs.compute_forward();
    optional_gradient none;
    prefopt::ggml_numbers const seen{graphs.x()};
    prefopt::evaluate(prefopt::cpo{}, policy_of(seen, graphs, none), prefopt::policy_pairs<float>{},
                      {.log_prob = reference_});
  }

  prefopt::report operator()(pair_graphs const& graphs, optional_gradient& d) const {
    prefopt::ggml_numbers const seen{graphs.x()};
    return loss_.of_policy(policy_of(seen, graphs, d), reference_);
  }

 private:
  template <class Numbers>
  static prefopt::logit_policy<float> policy_of(Numbers const& seen, pair_graphs const& graphs, optional_gradient& d) {
    prefopt::logit_policy<float> policy{.logits = seen.rows(),
                                        .tokens = {.labels = graphs.labels(), .tokens_per_sequence = predicted}};
    if (d) policy.d_logits = d->rows();
    return policy;
  }

  sequence_loss loss_;
  std::vector<float> reference_;
};

template <class Objective>
prefopt::report report_of(Objective const& objective, pair_graphs& graphs) {
  graphs.compute_forward();
  optional_gradient none;
  return objective(graphs, none);
}

/// Loss and gradient, into the leaf that the backward pass begins with.
template <class Objective>
prefopt::report differentiate(Objective const& objective, pair_graphs& graphs) {
  graphs.compute_forward();
  optional_gradient d;
  d.emplace(graphs.d_x());
  auto const seen = objective(graphs, d);
  d->store();
  return seen;
}

/// ggml's gradient of a few pairs' loss, by every parameter.
template <class Objective>
bool gradient_agrees(sequence_loss const& loss, std::span<token_task::pair const> pairs) {
  language_model model;
  pair_graphs graphs{model, Objective::reads, pairs};
  Objective const objective{loss, graphs};
  // One step away from the reference, where the pairs differ in their slope.
  differentiate(objective, graphs);
  graphs.compute_update(0.1F);
  differentiate(objective, graphs);
  graphs.compute_backward();

  gradient_check check{1.0 / 16};
  for (auto* parameter : {model.embedding, model.head}) {
    prefopt::ggml_numbers const d{graphs.gradient_of(parameter)};
    for (std::size_t i = 0; i < width * vocabulary; ++i) {
      float value = 0;
      ggml_backend_tensor_get(parameter, &value, i * sizeof value, sizeof value);
      check(value, d.values()[i], [&](float moved) {
        ggml_backend_tensor_set(parameter, &moved, i * sizeof moved, sizeof moved);
        return report_of(objective, graphs).loss;
      });
    }
  }
  return check.passed(loss.name().c_str());
}

template <class Objective>
bool learns(sequence_loss const& loss, token_task const& task, int steps) {
  language_model model;
  pair_graphs train{model, Objective::reads, task.train}, held_out{model, Objective::reads, task.held_out};
  Objective const objective{loss, train}, held_out_objective{loss, held_out};
  double const loss_before = report_of(objective, train).loss;
  double const accuracy_before = report_of(held_out_objective, held_out).accuracy;
  for (int step = 0; step < steps; ++step) {
    differentiate(objective, train);
    train.compute_update(0.03F);
  }
  double const loss_after = report_of(objective, train).loss;
  double const accuracy_after = report_of(held_out_objective, held_out).accuracy;
  std::printf("%s: loss %.4f -> %.4f, held-out accuracy %.3f -> %.3f\n", loss.name().c_str(), loss_before, loss_after,
              accuracy_before, accuracy_after);
  return accuracy_after >= 0.8;
}

constexpr char introduction[] =
    "Trains a small language model in ggml by preferences, and checks ggml's gradient: from sequence log-probs that "
    "the "
    "graph computes, and from logits, of which prefopt makes the log-probs.";

constexpr char manual[] = R"(
Without --loss: dpo (beta 0.5) from log-probs, simpo (beta 2, gamma 0.5) from logits. Losses are those of prefopt_score, of
pairs or of single completions, as far as they read no columns beyond log-probs, reference, lengths and labels.
Exit status 1 if a gradient is wrong or less than 0.8 of the held-out pairs are ranked right.)";

template <class Objective>
bool is_right(loss_choice const& choice, token_task const& task, int steps) {
  sequence_loss const loss{choice};
  bool const agrees = gradient_agrees<Objective>(loss, std::span{task.train}.first(16));
  return (steps == 0 || learns<Objective>(loss, task, steps)) && agrees;
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
  bool const by_log_probs = is_right<on_log_probs>(
      is_given ? chosen : loss_choice{.name = "dpo", .base = {}, .parameters = {{"beta", 0.5}}}, task, steps);
  bool const by_logits = is_right<on_logits>(
      is_given ? chosen : loss_choice{.name = "simpo", .base = {}, .parameters = {{"beta", 2}, {"gamma", 0.5}}}, task,
      steps);
  return by_log_probs && by_logits ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  return run_program("train_ggml", [&] { return run(argc, argv); });
}
