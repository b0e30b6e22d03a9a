// Policies whose logits are scaled, capped or tempered before the softmax, and the way of a token-level policy gradient
// with an entropy bonus through logits and through a head.
#include <algorithm>
#include <catch.hpp>
#include <cmath>
#include <cstdint>
#include <limits>
#include <prefopt/chain/evaluate.hpp>
#include <prefopt/chain/linear_policy.hpp>
#include <prefopt/chain/logit_policy.hpp>
#include <prefopt/loss/cpo.hpp>
#include <random>
#include <vector>

#include "host_products.hpp"
#include "linear_data.hpp"
#include "refusal.hpp"

namespace {

/// A head whose logits reach some hundred, far beyond a cap of 30, as Gemma's would with small weights.
struct capped_head {
  static constexpr std::size_t sequences = 2, length = 8, rows = sequences * length, width = 16, vocabulary = 40;
  std::vector<float> hidden, weight;
  std::vector<int> labels;

  capped_head() : hidden(rows * width), weight(vocabulary * width), labels(rows) {
    std::mt19937 random{2};
    std::normal_distribution<float> normal;
    for (float& number : hidden) number = normal(random) * 4;
    for (float& number : weight) number = normal(random) * 2;
    for (int& label : labels) label = static_cast<int>(random() % vocabulary);
  }
  [[nodiscard]] prefopt::linear_head<float> head() const {
    return {.hidden = {hidden.data(), rows, width}, .weight = {weight.data(), vocabulary, width}};
  }
  [[nodiscard]] prefopt::token_rows tokens() const { return {.labels = labels, .tokens_per_sequence = length}; }
  [[nodiscard]] long double logit(std::size_t row, std::size_t token) const {
    long double sum = 0;
    for (std::size_t k = 0; k < width; ++k) {
      sum += static_cast<long double>(hidden[row * width + k]) * static_cast<long double>(weight[token * width + k]);
    }
    return sum;
  }
  /// Sum of the log-probs of a sequence's labels.
  [[nodiscard]] long double log_prob(std::size_t sequence, long double cap) const {
    long double total = 0;
    for (std::size_t row = sequence * length; row < (sequence + 1) * length; ++row) {
      auto const x = [&](std::size_t token) { return cap * std::tanh(logit(row, token) / cap); };
      long double sum = 0;
      for (std::size_t token = 0; token < vocabulary; ++token) sum += std::exp(x(token));
      total += x(static_cast<std::size_t>(labels[row])) - std::log(sum);
    }
    return total;
  }
};

using capped_policy = prefopt::linear_policy<float, plain_product<float>>;

}  // namespace

TEST_CASE("a model with capped logits: log-probs are the model's own") {
  capped_head const of;
  constexpr double cap = 30;
  long double const right[]{of.log_prob(0, cap), of.log_prob(1, cap)};
  // Of a reported case: without the cap it is -651.46.
  CHECK(std::fabs(right[0] + 307.14L) < 0.005L);
  std::vector<float> log_prob(2), logits(of.rows * of.vocabulary);
  evaluate(prefopt::cpo{}, capped_policy{.head = of.head(), .tokens = of.tokens(), .transform = {.soft_cap = cap}}, {},
           {.log_prob = log_prob});
  auto const check = [&] {
    for (std::size_t i = 0; i < 2; ++i) {
      // A logit's sum of 16 products up to some hundred, times the cap's slope, in 8 tokens.
      CHECK(std::fabs(log_prob[i] - right[i]) < 1e-4L);
    }
  };
  check();
  for (std::size_t row = 0; row < of.rows; ++row) {
    for (std::size_t token = 0; token < of.vocabulary; ++token) {
      logits[row * of.vocabulary + token] = static_cast<float>(of.logit(row, token));
    }
  }
  prefopt::logit_policy<float> const multiplied_out{
      .logits = {logits.data(), of.rows, of.vocabulary}, .tokens = of.tokens(), .transform = {.soft_cap = cap}};
  evaluate(prefopt::cpo{}, multiplied_out, {}, {.log_prob = log_prob});
  check();
}

TEST_CASE("the gradient of a loss through capped logits is the quotient of its differences") {
  linear_data<double> data{8, 13, 5};
  prefopt::logit_transform const by{.scale = 1.5, .soft_cap = 2, .temperature = 0.8};
  prefopt::token_rows const tokens{.labels = data.labels, .tokens_per_sequence = 4};
  std::size_t const stride = data.hidden_stride();
  for (std::size_t const budget : {std::size_t{1} << 20, std::size_t{500}}) {
    linear_results<double> gradient{data};
    using head_policy = prefopt::linear_policy<double, plain_product<double>>;
    head_policy policy{.head = data.head(), .tokens = tokens, .memory_budget = budget, .transform = by};
    auto with_gradient = policy;
    with_gradient.gradients = gradient.targets();
    evaluate(prefopt::cpo{.beta = 0.7}, with_gradient, {}, {});
    for (std::size_t row : {std::size_t{0}, std::size_t{2}, std::size_t{7}}) {
      for (std::size_t k = 0; k < data.width; ++k) {
        double& number = data.hidden[row * stride + k];
        double const before = number;
        constexpr double h = 1e-5;
        number = before + h;
        double const above = evaluate(prefopt::cpo{.beta = 0.7}, policy, {}, {}).loss;
        number = before - h;
        double const below = evaluate(prefopt::cpo{.beta = 0.7}, policy, {}, {}).loss;
        number = before;
        CHECK(std::fabs(gradient.hidden[row * gradient.stride + k] - (above - below) / (2 * h)) < 1e-9);
      }
    }
  }
}

TEST_CASE("token log-probs and entropies forth, both gradients back, through logits and through a head") {
  linear_data<double> const data{12, 17, 5};
  prefopt::token_rows const tokens{.labels = data.labels, .tokens_per_sequence = 4};
  std::size_t const rows = data.rows, vocabulary = data.vocabulary;
  std::vector<double> logits(rows * vocabulary);
  multiply_plainly<double, double>({data.head().hidden}, {data.head().weight, true}, {logits.data(), rows, vocabulary},
                                   false);
  for (std::size_t i = 0; i < logits.size(); ++i) logits[i] += data.bias[i % vocabulary];
  std::vector<double> d_entropy;
  for (std::size_t row = 0; row < rows; ++row) d_entropy.push_back(0.1 * static_cast<double>(row) - 0.5);
  std::vector<double> const d_log_prob(data.d_log_prob.begin(), data.d_log_prob.end());
  for (prefopt::logit_transform const& by :
       {prefopt::logit_transform{}, {.temperature = 0.6}, {.scale = 2, .soft_cap = 3}}) {
    // Both passes by hand, from the functions on rows.
    std::vector<double> log_prob(rows, 7), entropy(rows, 7), log_sum_exp(rows), right(logits.size());
    prefopt::row_major<double const> const view{logits.data(), rows, vocabulary};
    prefopt::token_logprobs(view, data.labels, {.log_prob = log_prob, .log_sum_exp = log_sum_exp, .entropy = entropy},
                            {.transform = by});
    prefopt::token_logprob_gradients(
        view, data.labels,
        {.log_sum_exp = log_sum_exp, .d_log_prob = d_log_prob, .d_entropy = d_entropy, .entropy = entropy},
        {right.data(), rows, vocabulary}, {.transform = by});

    auto in_place = logits;
    prefopt::logit_policy<double> const policy{.logits = {in_place.data(), rows, vocabulary},
                                               .tokens = tokens,
                                               .d_logits = {in_place.data(), rows, vocabulary},
                                               .transform = by};
    prefopt::logit_policy<double>::state state;
    std::vector<double> got_log_prob(rows), got_entropy(rows);
    policy.log_probs(state, got_log_prob, got_entropy, {});
    policy.backward(state, d_log_prob, d_entropy, prefopt::gradient_write::assign, {});
    for (std::size_t row = 0; row < rows; ++row) {
      if (data.labels[row] == -100) continue;
      CHECK(got_log_prob[row] == log_prob[row]);
      CHECK(got_entropy[row] == entropy[row]);
    }
    for (std::size_t i = 0; i < right.size(); ++i) CHECK(std::fabs(in_place[i] - right[i]) < 1e-14);

    linear_results<double> by_policy{data}, by_function{data};
    using head_policy = prefopt::linear_policy<double, plain_product<double>>;
    for (std::size_t const budget : {std::size_t{1} << 20, std::size_t{700}}) {
      head_policy const head{.head = data.head(),
                             .tokens = tokens,
                             .gradients = by_policy.targets(),
                             .memory_budget = budget,
                             .transform = by};
      head_policy::state kept;
      head.log_probs(kept, got_log_prob, got_entropy, {});
      head.backward(kept, d_log_prob, d_entropy, prefopt::gradient_write::assign, {});
      prefopt::linear_token_logprobs(data.head(), data.labels,
                                     {.log_prob = log_prob, .log_sum_exp = log_sum_exp, .entropy = entropy},
                                     plain_product<double>{}, {.memory_budget = budget, .transform = by});
      prefopt::linear_token_logprob_gradients(
          data.head(), data.labels,
          {.log_sum_exp = log_sum_exp, .d_log_prob = d_log_prob, .d_entropy = d_entropy, .entropy = entropy},
          by_function.targets(), plain_product<double>{}, {.memory_budget = budget, .transform = by});
      for (std::size_t row = 0; row < rows; ++row) {
        for (std::size_t k = 0; k < data.width; ++k) {
          long double sum = 0;
          for (std::size_t j = 0; j < vocabulary; ++j) {
            sum +=
                data.labels[row] == -100 ? 0 : right[row * vocabulary + j] * data.weight[j * data.weight_stride() + k];
          }
          CHECK(std::fabs(by_policy.hidden[row * by_policy.stride + k] - sum) < 1e-13L);
          CHECK(std::fabs(by_function.hidden[row * by_policy.stride + k] - sum) < 1e-13L);
        }
      }
      for (std::size_t j = 0; j < vocabulary; ++j) {
        long double sum = 0;
        for (std::size_t row = 0; row < rows; ++row) sum += right[row * vocabulary + j];
        CHECK(std::fabs(by_policy.bias[j] - sum) < 1e-13L);
        CHECK(std::fabs(by_function.bias[j] - sum) < 1e-13L);
      }
    }
  }
}

TEST_CASE("policies refuse transforms as the functions do") {
  capped_head const of;
  std::vector<float> const logits(of.rows * of.vocabulary);
  CHECK(refusal([&] {
          evaluate(prefopt::cpo{}, capped_policy{.head = of.head(), .tokens = of.tokens(), .transform = {.scale = -2}},
                   {}, {});
        }) == "prefopt::evaluate: scale is -2, expected a finite number > 0");
  CHECK(refusal([&] {
          evaluate(prefopt::cpo{},
                   prefopt::logit_policy<float>{.logits = {logits.data(), of.rows, of.vocabulary},
                                                .tokens = of.tokens(),
                                                .transform = {.temperature = 0}},
                   {}, {});
        }) == "prefopt::evaluate: temperature is 0, expected a finite number > 0");
}
