// From logits to every list loss of the list, and the gradient back to every logit.
#include <catch.hpp>
#include <cstdio>
#include <prefopt/chain/evaluate.hpp>
#include <prefopt/chain/logit_policy.hpp>
#include <string>
#include <vector>

#include "oracle/lists.hpp"
#include "oracle/made_loss.hpp"
#include "sequences.hpp"

TEST_CASE("every list loss from logits to their gradient") {
  // Squares, as sami wants them.
  std::vector<int> const offsets{0, 4, 4 + 9, 14};
  sequences<double> const data{14, 5, 21};
  std::size_t const n = data.count();
  oracle::random_numbers random{8};
  std::vector<double> ref_log_prob, reward, target;
  for (std::size_t i = 0; i < n; ++i) {
    ref_log_prob.push_back(-random.uniform(0, 12));
    reward.push_back(random.normal());
    target.push_back(random.uniform());
  }
  std::vector<double> const weight{0.5, 2, 1.25};
  worst_share sums, gradients;
  std::size_t calls = 0;
  for (std::string const& name : oracle::list_losses()) {
    for (auto const& loss : oracle::list_variants_of(name, 4, random)) {
      auto const made = oracle::made_list(loss);
      for (oracle::list_given const& given : oracle::ways_of(loss)) {
        INFO(oracle::describe_list(loss, given));
        prefopt::policy_groups<double> batch{.offsets = offsets, .weight = weight, .per_token = given.length};
        if (given.reference) batch.ref_log_prob = ref_log_prob;
        if (given.reward) batch.reward = reward;
        if (given.target) batch.target = target;
        // A loss that needs lengths gets them unasked.
        if (oracle::is_per_token(name) || oracle::is_told_from_zero(name)) batch.per_token = false;
        auto d_logits = untouched_like(data.memory);
        std::vector<double> values(3), log_prob(n), length(n);
        auto const seen = front::evaluate(made, data.policy(d_logits), batch,
                                          {.loss = values, .log_prob = log_prob, .length = length});
        check_sequences(data, log_prob, length, sums);

        prefopt::list_batch<double> columns{.logp = log_prob, .weight = weight, .offsets = offsets};
        columns.ref_logp = batch.ref_log_prob;
        columns.reward = batch.reward;
        columns.target = batch.target;
        if (given.length) columns.length = length;
        std::vector<double> expected_values(3), d_log_prob(n);
        auto const expected = front::evaluate(made, columns, {.loss = expected_values, .d_logp = d_log_prob});
        CHECK(same_bits(seen, expected));
        CHECK(same_numbers(values, expected_values));
        sequence_gradients d{n};
        for (std::size_t i = 0; i < n; ++i) d.value[i] = d_log_prob[i];
        check_logit_gradients(data, d_logits, d, gradients);
        ++calls;
      }
    }
  }
  std::printf(
      "%zu calls of list losses from logits: largest errors: log-probs %.2Lf, gradients %.2Lf of their bounds\n", calls,
      sums.share, gradients.share);
}
