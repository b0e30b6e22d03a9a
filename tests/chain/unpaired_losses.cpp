// Single completions from logits: the columns that the chain makes, and the gradient back to every logit.
#include <catch.hpp>
#include <prefopt/prefopt.hpp>
#include <refusal.hpp>
#include <string>
#include <vector>

#include "oracle/front.hpp"
#include "sequences.hpp"

TEST_CASE("unpaired losses from logits are evaluate of the log-probs, and their gradients spread over the tokens") {
  sequences<double> const data{8, 7, 11};
  std::size_t const n = data.count();
  std::vector<double> reference(n), label(n), target(n), weight(n);
  oracle::random_numbers random{8};
  for (std::size_t i = 0; i < n; ++i) {
    reference[i] = -random.uniform(0, 12);
    label[i] = i % 3 == 0 ? random.uniform() : static_cast<double>(i % 2);
    target[i] = random.uniform(-1, 1);
    weight[i] = random.uniform(0.5, 2);
  }
  worst_share worst;
  for (auto const& loss : {front::make_unpaired_loss("kto"), front::make_unpaired_loss("bco", {{"beta", 0.5}}),
                           front::make_unpaired_loss("score_regression"), front::make_unpaired_loss("dro"),
                           front::make_unpaired_loss("weighted_nll"), front::make_unpaired_loss("log_barrier")}) {
    CAPTURE(loss.name());
    auto d_logits = untouched_like(data.memory);
    std::vector<double> value(n), reward(n), log_prob(n), length(n);
    prefopt::policy_completions<double> batch{.weight = weight};
    if (loss.reads(prefopt::columns::reference)) batch.ref_log_prob = reference;
    if (loss.reads(prefopt::columns::label)) batch.label = label;
    if (loss.reads(prefopt::columns::target)) batch.target = target;
    auto const seen = front::evaluate(loss, data.policy(d_logits), batch,
                                      {.loss = value, .reward = reward, .log_prob = log_prob, .length = length});
    std::vector<double> own_value(n), own_reward(n), d(n);
    auto const expected = front::evaluate(loss,
                                          prefopt::unpaired_batch<double>{.logp = log_prob,
                                                                          .ref_logp = batch.ref_log_prob,
                                                                          .label = batch.label,
                                                                          .target = batch.target,
                                                                          .weight = weight},
                                          {.loss = own_value, .d_logp = d, .reward = own_reward});
    CHECK(seen.loss == expected.loss);
    CHECK(value == own_value);
    CHECK(reward == own_reward);
    sequence_gradients by_sequence{n};
    for (std::size_t i = 0; i < n; ++i) by_sequence.value[i] = d[i];
    check_logit_gradients(data, d_logits, by_sequence, worst);
  }
}

TEST_CASE("an unpaired loss refuses a policy's columns of another size") {
  sequences<double> const data{8, 7, 11};
  auto d_logits = untouched_like(data.memory);
  std::vector<double> const short_label(3, 1), reference(data.count());
  auto const refused = refusal([&] {
    front::evaluate(front::make_unpaired_loss("kto"), data.policy(d_logits),
                    prefopt::policy_completions<double>{.ref_log_prob = reference, .label = short_label});
  });
  CHECK(refused == "prefopt::evaluate: label has 3 elements, logp has " + std::to_string(data.count()));
}
