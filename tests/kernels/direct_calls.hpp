#pragma once

#include <prefopt/chain/linear_policy.hpp>
#include <prefopt/prefopt.hpp>
#include <span>
#include <type_traits>

#include "kernels/direct.hpp"

// Included once for each instruction set, with PREFOPT_FRONT the namespace whose functions are called.

namespace PREFOPT_DIRECT_NAMESPACE {

/// Factors of float, or of the 16-bit numbers' values as float.
struct product_elsewhere {
  static strided_matrix strided(prefopt::matrix_factor<float> const& m) {
    return {m.stored.data(), m.transposed ? 1 : m.stored.stride(), m.transposed ? m.stored.stride() : 1};
  }
  void operator()(prefopt::matrix_factor<float> const& a, prefopt::matrix_factor<float> const& b,
                  prefopt::row_major<float> const& c, bool accumulate) const {
    multiply_strided(strided(a), strided(b), c.data(), c.stride(), c.rows(), a.columns(), c.columns(), accumulate);
  }
};

inline direct_results call_everything(direct_data const& data) {
  direct_results all;
  auto const keep = [&](auto const& values) { all.insert(all.end(), values.begin(), values.end()); };
  auto const keep_report = [&](prefopt::report const& r) {
    for (double const value : {r.loss, r.accuracy, r.margin, r.chosen_reward, r.rejected_reward, r.best_probability,
                               r.weight, static_cast<double>(r.count)}) {
      all.push_back(value);
    }
  };
  std::size_t const n = direct_data::pairs;
  std::vector<float> loss(n), d_chosen(n), d_rejected(n), posterior(n), reliability(n, 0.75F);
  prefopt::pair_batch<float> const pairs{
      .chosen = data.first, .rejected = data.second, .ref_chosen = data.third, .ref_rejected = data.fourth};
  keep_report(PREFOPT_FRONT::evaluate(prefopt::smoothed<prefopt::dpo>{.base = {.beta = 0.3}, .epsilon = 0.2}, pairs,
                                      {.loss = loss, .d_chosen = d_chosen, .d_rejected = d_rejected}));
  for (auto const* column : {&loss, &d_chosen, &d_rejected}) keep(*column);
  auto labelled = pairs;
  labelled.reliability = reliability;
  keep_report(PREFOPT_FRONT::evaluate(prefopt::lcpo<prefopt::dpo>{}, labelled, {.posterior = posterior}));
  keep(posterior);

  std::vector<double> exact(data.first.begin(), data.first.end()), other(data.second.begin(), data.second.end()),
      d_exact(n), length(n, 7);
  keep_report(PREFOPT_FRONT::evaluate(
      prefopt::simpo{},
      prefopt::pair_batch<double>{
          .chosen = exact, .rejected = other, .chosen_length = length, .rejected_length = length},
      {.d_chosen = d_exact}));
  keep(d_exact);

  std::vector<float> group_loss(data.offsets.size() - 1);
  keep_report(PREFOPT_FRONT::evaluate(
      prefopt::plackett_luce{},
      prefopt::list_batch<float>{.logp = data.first, .reward = data.second, .offsets = data.offsets},
      {.loss = group_loss, .d_logp = d_chosen}, {.empty = prefopt::on_invalid::propagate}));
  keep(group_loss);
  keep(d_chosen);

  std::size_t const rows = direct_data::rows, vocabulary = direct_data::vocabulary;
  prefopt::row_major<float const> const logits{data.logits.data(), rows, vocabulary};
  std::vector<float> log_prob(rows), entropy(rows), slope(rows, -0.5F), d_logits(rows * vocabulary);
  std::vector<double> log_sum_exp(rows);
  PREFOPT_FRONT::token_logprobs(logits, data.labels,
                                {.log_prob = log_prob, .log_sum_exp = log_sum_exp, .entropy = entropy});
  keep(log_prob);
  keep(log_sum_exp);
  keep(entropy);
  prefopt::row_major<float> const target{d_logits.data(), rows, vocabulary};
  PREFOPT_FRONT::token_logprob_gradients(logits, data.labels, log_sum_exp, slope, target);
  keep(d_logits);
  PREFOPT_FRONT::token_logprobs_and_gradients(
      logits, data.labels, [](std::size_t row, float value) noexcept { return value * static_cast<double>(row); },
      target);
  keep(d_logits);

  prefopt::logit_policy<float> const policy{
      .logits = logits, .tokens = {.labels = data.labels, .tokens_per_sequence = 10}, .d_logits = target};
  auto reference = policy;
  reference.d_logits = {};
  keep_report(PREFOPT_FRONT::evaluate(prefopt::dpo{}, policy, reference, prefopt::policy_pairs<float>{}));
  keep(d_logits);
  std::vector<int> const groups{0, 2, 6};
  std::span<float const> const reward{data.first.data(), 6};
  keep_report(PREFOPT_FRONT::evaluate(prefopt::adpo{}, policy, {.offsets = groups, .reward = reward}));
  keep(d_logits);

  std::vector<float> d_token(1000), d_other(1000);
  prefopt::dense_tokens<float> const chosen{.log_prob = {data.first.data(), 10, 100}},
      rejected{.log_prob = {data.second.data(), 10, 100}};
  keep_report(PREFOPT_FRONT::evaluate(
      prefopt::simpo{}, prefopt::token_pair_batch<prefopt::dense_tokens<float>>{.chosen = chosen, .rejected = rejected},
      {.d_chosen = {d_token.data(), 10, 100}, .d_rejected = {d_other.data(), 10, 100}}));
  keep(d_token);
  keep(d_other);

  std::vector<float> of_sequence(10), tokens_of_sequence(10);
  PREFOPT_FRONT::sequence_log_probs(chosen, {.log_prob = of_sequence, .length = tokens_of_sequence});
  keep(of_sequence);
  keep(tokens_of_sequence);
  PREFOPT_FRONT::token_gradients(chosen, of_sequence, {d_token.data(), 10, 100});
  keep(d_token);

  // Hidden states and weights among the logits' numbers; in float, and in bfloat16 multiplied as float.
  std::size_t const width = 9, words = 37;
  std::vector<prefopt::bfloat16> half(data.logits.begin(), data.logits.begin() + 2048);
  auto const from_hidden = [&](auto const* numbers) {
    using U = std::remove_cvref_t<decltype(*numbers)>;
    std::vector<std::int64_t> next(data.labels);
    for (auto& label : next) label = label < 0 ? label : label % static_cast<std::int64_t>(words);
    std::vector<float> bias(words, 0.25F), d_hidden(rows * width), d_weight(words * width), d_bias(words);
    prefopt::linear_head<U> const head{
        .hidden = {numbers, rows, width}, .weight = {numbers + rows * width, words, width}, .bias = bias};
    prefopt::linear_gradients<float> const gradients{
        .hidden = {d_hidden.data(), rows, width}, .weight = {d_weight.data(), words, width}, .bias = d_bias};
    auto const keep_gradients = [&] {
      for (auto const* column : {&d_hidden, &d_weight, &d_bias}) keep(*column);
    };
    product_elsewhere const product;
    prefopt::linear_options const options{.memory_budget = 4096};
    PREFOPT_FRONT::linear_token_logprobs(head, next, {.log_prob = log_prob, .log_sum_exp = log_sum_exp}, product,
                                         options);
    keep(log_prob);
    keep(log_sum_exp);
    PREFOPT_FRONT::linear_token_logprob_gradients(head, next, log_sum_exp, slope, gradients, product, options);
    keep_gradients();
    prefopt::linear_policy<U, product_elsewhere> const linear{.head = head,
                                                              .tokens = {.labels = next, .tokens_per_sequence = 10},
                                                              .gradients = gradients,
                                                              .memory_budget = 4096};
    auto linear_reference = linear;
    linear_reference.gradients = {};
    keep_report(PREFOPT_FRONT::evaluate(prefopt::ipo{}, linear, linear_reference, prefopt::policy_pairs<float>{}));
    keep_gradients();
    keep_report(PREFOPT_FRONT::evaluate(prefopt::adpo{}, linear, {.offsets = groups, .reward = reward}));
    keep_gradients();
  };
  from_hidden(data.logits.data());
  from_hidden(half.data());
  return all;
}

}  // namespace PREFOPT_DIRECT_NAMESPACE
