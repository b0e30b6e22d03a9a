// From logits and from hidden states to the gradients of a small Llama's parameters, in ggml itself.

#include <cmath>
#include <cstdint>
#include <prefopt/adapter/eigen_product.hpp>
#include <prefopt/adapter/ggml.hpp>
#include <prefopt/loss/cpo.hpp>
#include <prefopt/loss/dpo.hpp>
#include <prefopt/loss/kto.hpp>
#include <string>
#include <vector>

#include "../catch.hpp"
#include "../refusal.hpp"
#include "graphs.hpp"

namespace {

using graphs::training_graph;

constexpr std::int64_t vocabulary = 19, width = 32, heads = 4, groups = 2, head_width = width / heads, inner = 48;
constexpr std::int64_t length = 5, sequences = 4, rows = length * sequences;

/// One block of a Llama over four sequences, packed into one with a block-causal mask; queries are grouped.
class llama : public training_graph {
 public:
  /// Weights of the first projections are trained, in f32, or frozen, with an adapter of low rank beside them.
  explicit llama(ggml_type frozen = GGML_TYPE_COUNT, float scale = 1, bool has_norm = true) {
    embedding = parameter({width, vocabulary}, 1);
    norm = leaf(GGML_TYPE_F32, {width}, std::vector<float>(width, 1.25F), true);
    for (int i = 0; i < 4; ++i) {
      bool const is_narrow = i == 1 || i == 2;
      std::int64_t const out = is_narrow ? groups * head_width : width;
      projections_[i] =
          frozen == GGML_TYPE_COUNT || i == 3
              ? parameter({width, out}, 10 + static_cast<unsigned>(i), 0.3F)
              : leaf(frozen, {width, out},
                     graphs::numbers(static_cast<std::size_t>(width * out), 10 + static_cast<unsigned>(i), 0.3F));
      if (frozen == GGML_TYPE_COUNT || i == 3) trained.push_back(projections_[i]);
      down_[i] = parameter({width, 2}, 20 + static_cast<unsigned>(i), 0.3F);
      up_[i] = parameter({2, out}, 30 + static_cast<unsigned>(i), 0.3F);
      trained.insert(trained.end(), {down_[i], up_[i]});
    }
    gate = parameter({width, inner}, 40, 0.3F);
    lift = parameter({width, inner}, 41, 0.3F);
    drop = parameter({inner, width}, 42, 0.3F);
    output = parameter({width, vocabulary}, 43, 0.4F * scale);
    trained.insert(trained.end(), {embedding, gate, lift, drop});
    if (has_norm) trained.push_back(norm);
    std::vector<std::int32_t> tokens, positions;
    for (std::int32_t i = 0; i < rows; ++i) {
      tokens.push_back((7 * i + i * i / 3) % static_cast<std::int32_t>(vocabulary));
      positions.push_back(i % static_cast<std::int32_t>(length));
      labels.push_back((5 * i + 2) % vocabulary);
    }
    labels[0] = labels[7] = -100;
    std::vector<float> mask(static_cast<std::size_t>(rows * rows), -INFINITY);
    for (std::int64_t i = 0; i < rows; ++i) {
      for (std::int64_t j = i - i % length; j <= i; ++j) mask[static_cast<std::size_t>(i * rows + j)] = 0;
    }
    auto* const context_of = context.get();
    auto* const places = integers(positions);
    auto* const seen = leaf(GGML_TYPE_F32, {rows, rows}, mask);
    auto const normed = [&](ggml_tensor* x) {
      return has_norm ? ggml_mul(context_of, ggml_rms_norm(context_of, x, 1e-5F), norm) : x;
    };
    auto const in_heads = [&](ggml_tensor* x, std::int64_t count) {
      auto* const turned = ggml_rope_ext(context_of, ggml_reshape_3d(context_of, x, head_width, count, rows), places,
                                         nullptr, head_width, GGML_ROPE_TYPE_NEOX, 0, 10000, 1, 0, 1, 0, 0);
      return ggml_permute(context_of, turned, 0, 2, 1, 3);
    };
    auto* const x = ggml_get_rows(context_of, embedding, integers(tokens));
    auto* const input = normed(x);
    auto *const q = in_heads(project(0, input), heads), *const k = in_heads(project(1, input), groups);
    auto* const v = ggml_cont(
        context_of,
        ggml_permute(context_of, ggml_reshape_3d(context_of, project(2, input), head_width, groups, rows), 1, 2, 0, 3));
    auto* const attention = ggml_soft_max_ext(context_of, ggml_mul_mat(context_of, k, q), seen,
                                              1 / std::sqrt(static_cast<float>(head_width)), 0);
    auto* const mixed = ggml_permute(context_of, ggml_mul_mat(context_of, v, attention), 0, 2, 1, 3);
    auto* const attended = ggml_add(context_of, x, project(3, ggml_cont_2d(context_of, mixed, width, rows)));
    auto* const middle = normed(attended);
    auto* const fed = ggml_mul_mat(
        context_of, drop,
        ggml_swiglu_split(context_of, ggml_mul_mat(context_of, gate, middle), ggml_mul_mat(context_of, lift, middle)));
    hidden = normed(ggml_add(context_of, attended, fed));
  }

  ggml_tensor* logits() {
    trained.push_back(output);
    return ggml_mul_mat(context.get(), output, hidden);
  }

  [[nodiscard]] prefopt::token_rows tokens() const {
    return {.labels = labels, .tokens_per_sequence = static_cast<std::size_t>(length)};
  }

  ggml_tensor *embedding, *norm, *gate, *lift, *drop, *output, *hidden;
  std::vector<ggml_tensor*> trained;
  std::vector<std::int64_t> labels;

 private:
  ggml_tensor* project(int i, ggml_tensor* x) {
    auto* const low = ggml_mul_mat(context.get(), up_[i], ggml_mul_mat(context.get(), down_[i], x));
    return ggml_add(context.get(), ggml_mul_mat(context.get(), projections_[i], x), low);
  }

  ggml_tensor *projections_[4], *down_[4], *up_[4];
};

bool can_share_memory() { return !graphs::is_before("0.15.0"); }

/// The log-probs of sequences, in long double, from rows of logits.
std::vector<long double> log_probs_of(std::vector<float> const& logits, std::vector<std::int64_t> const& labels) {
  std::vector<long double> sums(sequences);
  for (std::size_t row = 0; row < labels.size(); ++row) {
    if (labels[row] < 0) continue;
    float const* const at = &logits[row * static_cast<std::size_t>(vocabulary)];
    long double const top = *std::max_element(at, at + vocabulary);
    long double sum = 0;
    for (std::int64_t i = 0; i < vocabulary; ++i) sum += std::exp(at[i] - top);
    sums[row / static_cast<std::size_t>(length)] += at[labels[row]] - top - std::log(sum);
  }
  return sums;
}

/// A few elements of every trained parameter against differences of `value`.
void check_slopes(llama& model, std::function<double()> const& value) {
  // All of them before the next forward pass, which may take their memory.
  std::vector<std::vector<float>> d;
  for (auto* const parameter : model.trained) {
    auto* const gradient = ggml_graph_get_grad(model.graph, parameter);
    REQUIRE(gradient != nullptr);
    d.push_back(graphs::download(gradient));
  }
  for (std::size_t p = 0; p < d.size(); ++p) {
    auto* const parameter = model.trained[p];
    for (std::size_t i = 0; i < d[p].size(); i += 1 + d[p].size() / 5) {
      double const expected = model.slope(parameter, i, 1.0F / 128, value);
      INFO(parameter->name << " " << parameter->ne[0] << "x" << parameter->ne[1] << "[" << i << "]");
      CHECK(std::abs(double{d[p][i]} - expected) < 1e-3 + 5e-3 * std::abs(expected));
    }
  }
}

std::vector<float> const reference{-14, -13, -12.5F, -14};

}  // namespace

TEST_CASE("ggml training: from logits") {
  bool const by_allocator = can_share_memory() && GENERATE(true, false);
  auto const frozen = GENERATE(GGML_TYPE_COUNT, GGML_TYPE_F16, GGML_TYPE_Q8_0);
  if (frozen == GGML_TYPE_F16 && graphs::is_before("0.17.0")) return;
  llama model{frozen};
  auto* const x = model.logits();
  auto const training = model.expand(x, by_allocator);
  prefopt::dpo const loss{.beta = 0.5};
  auto const value = [&] {
    model.compute(training.forward);
    return prefopt::ggml_evaluate(loss, x, nullptr, model.tokens(), {.ref_log_prob = reference}).loss;
  };
  // Twice: nothing of the first pass shows in the second.
  for (int i = 0; i < 2; ++i) {
    model.compute(training.forward);
    auto const seen = prefopt::ggml_evaluate(loss, x, training.gradient, model.tokens(), {.ref_log_prob = reference});
    auto const expected = log_probs_of(graphs::download(x), model.labels);
    long double sum = 0;
    for (std::size_t pair = 0; pair < 2; ++pair) {
      long double const margin = expected[pair] - expected[pair + 2] - reference[pair] + reference[pair + 2];
      sum += std::log1p(std::exp(-0.5L * margin)) / 2;
    }
    CHECK(std::abs(seen.loss - static_cast<double>(sum)) < 1e-6);
    auto const log_prob = prefopt::ggml_log_probs(x, model.tokens());
    for (std::size_t s = 0; s < 4; ++s) CHECK(std::abs(log_prob[s] - static_cast<double>(expected[s])) < 1e-5);
    model.compute(training.backward);
  }
  // ggml rounds what it multiplies with f16 and Q8_0: differences of the loss are steps there.
  if (frozen == GGML_TYPE_COUNT) return check_slopes(model, value);
  for (auto* const parameter : model.trained) {
    for (float const slope : graphs::download(ggml_graph_get_grad(model.graph, parameter)))
      REQUIRE(std::isfinite(slope));
  }
  model.trained = {model.output, model.drop, model.lift, model.gate};
  check_slopes(model, value);
}

TEST_CASE("ggml training: from hidden states, the output matrix frozen or trained") {
  bool const by_allocator = can_share_memory() && GENERATE(true, false);
  auto const type = GENERATE(GGML_TYPE_F32, GGML_TYPE_F16, GGML_TYPE_BF16, GGML_TYPE_Q8_0);
  llama model;
  auto* const weight =
      model.leaf(type, {width, vocabulary}, graphs::numbers(static_cast<std::size_t>(width * vocabulary), 43, 0.4F));
  auto* const d_weight = model.leaf(GGML_TYPE_F32, {width, vocabulary},
                                    std::vector<float>(static_cast<std::size_t>(width * vocabulary), 9));
  auto const training = model.expand(model.hidden, by_allocator);
  prefopt::ggml_head const head{weight, prefopt::eigen_product{}, type == GGML_TYPE_F32 ? d_weight : nullptr};
  prefopt::dpo const loss{.beta = 0.5};
  auto const value = [&] {
    model.compute(training.forward);
    prefopt::ggml_head const frozen{weight, prefopt::eigen_product{}};
    return prefopt::ggml_evaluate(loss, model.hidden, frozen, nullptr, model.tokens(), {.ref_log_prob = reference})
        .loss;
  };
  model.compute(training.forward);
  auto const seen =
      prefopt::ggml_evaluate(loss, model.hidden, head, training.gradient, model.tokens(), {.ref_log_prob = reference});
  CHECK(seen.loss == value());
  model.compute(training.backward);
  // The logits that are never made.
  auto const hidden = graphs::download(model.hidden), matrix = graphs::download(weight);
  std::vector<float> logits;
  for (std::size_t row = 0; row < static_cast<std::size_t>(rows); ++row) {
    for (std::size_t token = 0; token < static_cast<std::size_t>(vocabulary); ++token) {
      double sum = 0;
      for (std::size_t i = 0; i < static_cast<std::size_t>(width); ++i)
        sum += double{hidden[row * width + i]} * double{matrix[token * width + i]};
      logits.push_back(static_cast<float>(sum));
    }
  }
  auto const log_prob = prefopt::ggml_log_probs(model.hidden, head, model.tokens());
  auto const expected = log_probs_of(logits, model.labels);
  for (std::size_t s = 0; s < 4; ++s) CHECK(std::abs(log_prob[s] - static_cast<double>(expected[s])) < 2e-5);
  check_slopes(model, value);
  if (type != GGML_TYPE_F32) {
    CHECK(graphs::download(d_weight)[0] == 9);
    return;
  }
  auto const d = graphs::download(d_weight);
  for (std::size_t i = 0; i < d.size(); i += 37) {
    CHECK(std::abs(double{d[i]} - model.slope(weight, i, 1.0F / 128, value)) < 1e-3);
  }
}

TEST_CASE("ggml training: logits of any type and strides") {
  llama model;
  auto* const context = model.context.get();
  auto* const logits = model.logits();
  using shape = ggml_tensor* (*)(ggml_context*, ggml_tensor*);
  auto const [name, shaped] = GENERATE(table<std::string, shape>({
      {"f16", [](auto* c, auto* a) { return ggml_cast(c, a, GGML_TYPE_F16); }},
      {"bf16", [](auto* c, auto* a) { return ggml_cast(c, a, GGML_TYPE_BF16); }},
      // [vocabulary, sequences, length]
      {"rows in another order",
       [](auto* c, auto* a) { return ggml_permute(c, ggml_reshape_3d(c, a, vocabulary, length, sequences), 0, 2, 1, 3); }},
      {"a part of each row",
       [](auto* c, auto* a) { return ggml_view_2d(c, a, vocabulary - 3, rows, a->nb[1], 2 * sizeof(float)); }},
      // Turned, so that it is the elements of a row that are far apart, and turned back.
      {"elements apart",
       [](auto* c, auto* a) {
         auto* const turned = ggml_cont(c, ggml_transpose(c, a));
         return ggml_transpose(c, ggml_reshape_2d(c, turned, rows, vocabulary));
       }},
  }));
  INFO(name);
  auto* const x = shaped(context, logits);
  auto const training = model.expand(x, false);
  model.compute(training.forward);
  auto labels = model.labels;
  for (auto& label : labels) label = label < 0 ? label : label % (vocabulary - 3);
  auto tokens = model.tokens();
  tokens.labels = labels;
  auto const batch = prefopt::policy_pairs<float>{.ref_log_prob = reference};
  auto const seen = prefopt::ggml_evaluate(prefopt::dpo{}, x, training.gradient, tokens, batch);
  // The same numbers side by side, and the gradient by those.
  auto const values = graphs::download(x);
  auto const columns = static_cast<std::size_t>(x->ne[0]);
  std::vector<float> d(values.size());
  auto const plain =
      prefopt::evaluate(prefopt::dpo{},
                        prefopt::logit_policy<float>{.logits = {values.data(), values.size() / columns, columns},
                                                     .tokens = tokens,
                                                     .d_logits = {d.data(), values.size() / columns, columns}},
                        batch);
  CHECK(seen.loss == plain.loss);
  CHECK(graphs::download(training.gradient) == d);
  model.compute(training.backward);
  if (name == "f16" || name == "bf16") {
    // Rounding has the slope 1: the gradient by what is rounded is that by the result.
    model.trained = {model.output};
    auto const hidden = graphs::download(model.hidden),
               of_output = graphs::download(ggml_graph_get_grad(model.graph, model.output));
    for (std::size_t token = 0; token < static_cast<std::size_t>(vocabulary); token += 4) {
      double expected = 0;
      for (std::size_t row = 0; row < static_cast<std::size_t>(rows); ++row)
        expected += double{d[row * columns + token]} * double{hidden[row * width]};
      CHECK(std::abs(double{of_output[token * width]} - expected) < 1e-5);
    }
    return;
  }
  check_slopes(model, [&] {
    model.compute(training.forward);
    return prefopt::ggml_evaluate(prefopt::dpo{}, x, nullptr, tokens, batch).loss;
  });
}

TEST_CASE("ggml training: logits far apart have log-probs and gradients, which the log of a softmax has not") {
  llama model{GGML_TYPE_COUNT, 40};
  auto* const x = model.logits();
  auto* const probability = ggml_soft_max(model.context.get(), x);
  ggml_build_forward_expand(model.graph, probability);
  auto const training = model.expand(x, false);
  model.compute(training.forward);
  auto const logits = graphs::download(x), probabilities = graphs::download(probability);
  bool is_lost = false;
  for (std::size_t row = 0; row < static_cast<std::size_t>(rows); ++row) {
    if (model.labels[row] >= 0)
      is_lost = is_lost || probabilities[row * vocabulary + static_cast<std::size_t>(model.labels[row])] == 0;
  }
  CHECK(is_lost);
  auto const expected = log_probs_of(logits, model.labels);
  auto const log_prob = prefopt::ggml_log_probs(x, model.tokens());
  for (std::size_t s = 0; s < 4; ++s) {
    CHECK(std::abs(log_prob[s] - static_cast<double>(expected[s])) < 1e-6 * std::abs(static_cast<double>(expected[s])));
  }
  // Not saturated: beta is small.
  prefopt::dpo const loss{.beta = 1e-3};
  prefopt::ggml_evaluate(loss, x, training.gradient, model.tokens(), {.ref_log_prob = reference});
  auto const d = graphs::download(training.gradient);
  for (std::size_t row = 0; row < static_cast<std::size_t>(rows); ++row) {
    std::size_t const sequence = row / length, pair = sequence % 2;
    long double const margin = expected[pair] - expected[pair + 2] - reference[pair] + reference[pair + 2];
    long double const slope = (sequence < 2 ? -1 : 1) * 1e-3L / (1 + std::exp(1e-3L * margin)) / 2;
    float const* const at = &logits[row * vocabulary];
    long double const top = *std::max_element(at, at + vocabulary);
    long double sum = 0;
    for (std::int64_t i = 0; i < vocabulary; ++i) sum += std::exp(at[i] - top);
    for (std::int64_t i = 0; i < vocabulary; ++i) {
      long double const hit = i == model.labels[row] ? 1 : 0;
      long double const by_logit = model.labels[row] < 0 ? 0 : slope * (hit - std::exp(at[i] - top) / sum);
      CHECK(std::abs(d[row * vocabulary + static_cast<std::size_t>(i)] - static_cast<double>(by_logit)) < 1e-9);
    }
  }
  model.compute(training.backward);
  for (auto* const parameter : model.trained) {
    for (float const value : graphs::download(ggml_graph_get_grad(model.graph, parameter))) CHECK(std::isfinite(value));
  }
}

TEST_CASE("ggml training: steps of AdamW in the backward part, of pairs and of single completions") {
  bool const by_allocator = can_share_memory() && GENERATE(true, false);
  llama model;
  auto* const x = model.logits();
  auto* const rates = model.leaf(GGML_TYPE_F32, {7}, {0.01F, 0.9F, 0.999F, 1e-8F, 0, 10, 1000});
  auto const training = model.expand(x, by_allocator, [&](auto const& made) {
    for (auto* const parameter : model.trained) {
      auto const size = static_cast<std::size_t>(ggml_nelements(parameter));
      std::vector<std::int64_t> const shape(parameter->ne, parameter->ne + 4);
      auto *const m = model.leaf(GGML_TYPE_F32, shape, std::vector<float>(size)), *const v = model.leaf(
                                                                                      GGML_TYPE_F32, shape,
                                                                                      std::vector<float>(size));
      auto* const step =
          ggml_opt_step_adamw(model.context.get(), parameter, ggml_graph_get_grad(model.graph, parameter), m, v, rates);
      ggml_build_forward_expand(model.graph, step);
      ggml_graph_add_node(made.backward, step);
    }
  });
  std::vector<float> const desirable{1, 1, 0, 0};
  bool const is_paired = GENERATE(true, false);
  auto const step = [&](bool updates) {
    model.compute(training.forward);
    auto* const d = updates ? training.gradient : nullptr;
    double const loss = is_paired ? prefopt::ggml_evaluate(prefopt::cpo{}, x, d, model.tokens(), {}).loss
                                  : prefopt::ggml_evaluate(prefopt::kto{}, x, d, model.tokens(),
                                                           {.ref_log_prob = reference, .label = desirable})
                                        .loss;
    if (updates) model.compute(training.backward);
    return loss;
  };
  double const before = step(false);
  for (int i = 0; i < 20; ++i) step(true);
  CHECK(step(false) < before - 0.1 * std::abs(before));
}

TEST_CASE("ggml training: errors come before anything is written") {
  llama model;
  auto* const x = model.logits();
  ggml_set_name(model.output, "output");
  auto const training = model.expand(x, false);
  model.compute(training.forward);
  std::vector<float> const untouched(static_cast<std::size_t>(rows * vocabulary), 5);
  graphs::upload(training.gradient, untouched);
  auto const refused = [&](auto const& call) {
    auto const said = refusal(call);
    CHECK(graphs::download(training.gradient) == untouched);
    return said;
  };
  auto tokens = model.tokens();
  auto const evaluate = [&](ggml_tensor const* logits, ggml_tensor* gradient, std::vector<float> const& ref) {
    return refused([&] { prefopt::ggml_evaluate(prefopt::dpo{}, logits, gradient, tokens, {.ref_log_prob = ref}); });
  };
  ggml_tensor const* const none = nullptr;
  CHECK(evaluate(none, training.gradient, reference) == "prefopt::ggml_rows: the tensor is null");
  CHECK(evaluate(x, model.output, reference) ==
        "prefopt::ggml_evaluate: output is [32, 19, 1, 1], what it is the gradient by is [19, 20, 1, 1]");
  CHECK(evaluate(x, x, reference).find("the result of an operation") != std::string::npos);
  CHECK(evaluate(x, training.gradient, {-1, -2}).find("ref_log_prob has 2 elements") != std::string::npos);
  CHECK(refused([&] { prefopt::ggml_evaluate(prefopt::dpo{}, x, training.gradient, tokens, {}); }) ==
        "prefopt::evaluate: the loss needs ref_log_prob or a reference policy, and neither is given");
  std::vector<std::int64_t> beyond = model.labels;
  beyond[3] = vocabulary;
  tokens.labels = beyond;
  CHECK(evaluate(x, training.gradient, reference).find("labels[3]") != std::string::npos);
  tokens = model.tokens();
  tokens.tokens_per_sequence = 3;
  CHECK(evaluate(x, training.gradient, reference) != "no error");
  CHECK(refused([&] { (void)prefopt::ggml_log_probs(x, tokens); }) != "no error");
  tokens = model.tokens();
  prefopt::ggml_head const head{model.output, prefopt::eigen_product{}};
  CHECK(refused([&] {
          prefopt::ggml_evaluate(prefopt::dpo{}, x, head, training.gradient, tokens, {.ref_log_prob = reference});
        }).find("widths") != std::string::npos);
  prefopt::ggml_head const wrong{model.output, prefopt::eigen_product{}, training.gradient};
  CHECK(refused([&] {
          prefopt::ggml_evaluate(prefopt::dpo{}, model.hidden, wrong, nullptr, tokens, {.ref_log_prob = reference});
        }) ==
        "prefopt::ggml_evaluate: prefopt_gradient is [19, 20, 1, 1], what it is the gradient by is [32, 19, 1, 1]");
  CHECK(refusal([&] {
          prefopt::ggml_rows{ggml_new_tensor_1d(model.context.get(), GGML_TYPE_Q8_0, 32)};
        }).find("no memory yet") != std::string::npos);
}
