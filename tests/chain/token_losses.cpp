// Policy-gradient losses from logits and from hidden states, and back: against the parts one by one, and by difference
// quotients.
#include <algorithm>
#include <catch.hpp>
#include <cmath>
#include <cstdint>
#include <limits>
#include <prefopt/chain/evaluate_tokens.hpp>
#include <prefopt/chain/linear_policy.hpp>
#include <prefopt/chain/logit_policy.hpp>
#include <prefopt/chain/token_policy.hpp>
#include <prefopt/engine/make_token_loss.hpp>
#include <random>
#include <vector>

#include "host_products.hpp"
#include "refusal.hpp"

namespace {

/// Three sampled sequences of 4, 3 and 2 tokens, of which two do not count, in two groups.
class sampled {
  // First: the members are made with it.
  std::mt19937 random_{5};

 public:
  static constexpr std::size_t tokens = 9, vocabulary = 13, width = 5;
  std::vector<double> hidden = numbers(tokens * width, 1), weight = numbers(vocabulary * width, 1), logits,
                      old_log_prob, reference, rollout, advantage{1, -0.5, 0.25}, mask{1, 1, 1, 1, 0, 1, 1, 1, 1};
  std::vector<std::int64_t> labels{3, 0, -100, 12, 5, 5, 1, 7, 2}, offsets{0, 4, 7, 9}, groups{0, 2, 3};

  sampled() : logits(tokens * vocabulary) {
    for (std::size_t i = 0; i < tokens; ++i) {
      for (std::size_t j = 0; j < vocabulary; ++j) {
        for (std::size_t k = 0; k < width; ++k)
          logits[i * vocabulary + j] += hidden[i * width + k] * weight[j * width + k];
      }
    }
    old_log_prob = numbers(tokens, 0.3);
    reference = numbers(tokens, 0.3);
    rollout = old_log_prob;
    for (double& x : old_log_prob) x -= 2.5;
    for (double& x : reference) x -= 2.5;
    for (double& x : rollout) x -= 2.4;
  }
  [[nodiscard]] prefopt::token_rows rows() const { return {.labels = labels, .offsets = offsets}; }
  [[nodiscard]] prefopt::logit_policy<double> policy(double* d_logits = nullptr) const {
    prefopt::logit_policy<double> of{.logits = {logits.data(), tokens, vocabulary}, .tokens = rows()};
    if (d_logits != nullptr) of.d_logits = {d_logits, tokens, vocabulary};
    of.transform = {.soft_cap = 4, .temperature = 0.9};
    return of;
  }
  [[nodiscard]] prefopt::policy_tokens<double> given() const {
    return {.old_log_prob = old_log_prob,
            .ref_log_prob = reference,
            .rollout_log_prob = rollout,
            .advantage = advantage,
            .mask = mask,
            .group_offsets = groups};
  }

 private:
  std::vector<double> numbers(std::size_t n, double spread) {
    std::normal_distribution<double> normal{0, spread};
    std::vector<double> values(n);
    std::generate(values.begin(), values.end(), [&] { return normal(random_); });
    return values;
  }
};

/// A surrogate with everything that there is around it.
prefopt::any_token_loss loss_with_all(char const* name, prefopt::aggregation_mode mode) {
  auto loss = prefopt::make_token_loss(name);
  loss.kl = {.estimator = prefopt::kl_estimator::k3, .coefficient = 0.3};
  loss.correction = {.mode = prefopt::correction_mode::token_truncate, .low = 0.5, .high = 1.05};
  loss.aggregation = {.mode = mode, .horizon = 7};
  loss.entropy_coefficient = 0.2;
  return loss;
}

}  // namespace

TEST_CASE("from logits and back, a loss of tokens is its parts") {
  sampled of;
  auto const loss = loss_with_all("ppo_clip", prefopt::aggregation_mode::prompt_mean);
  std::vector<double> d_logits(of.logits.size()), own(9), log_prob(9), entropy(9);
  auto const policy = of.policy(d_logits.data());
  auto const seen = evaluate(loss, policy, of.given(), {.loss = own, .log_prob = log_prob, .entropy = entropy});

  prefopt::logit_policy<double>::state kept;
  std::vector<double> values(9), entropies(9), mask = of.mask, d_log_prob(9), d_entropy(9), losses(9);
  policy.log_probs(kept, values, entropies, {});
  mask[2] = 0;
  prefopt::token_batch<double> const batch{.log_prob = values,
                                           .old_log_prob = of.old_log_prob,
                                           .ref_log_prob = of.reference,
                                           .rollout_log_prob = of.rollout,
                                           .advantage = of.advantage,
                                           .mask = mask,
                                           .entropy = entropies,
                                           .offsets = of.offsets,
                                           .group_offsets = of.groups};
  auto const parts = evaluate(loss, batch, {.loss = losses, .d_log_prob = d_log_prob, .d_entropy = d_entropy});
  std::vector<double> expected(of.logits.size());
  of.policy(expected.data()).backward(kept, d_log_prob, d_entropy, prefopt::gradient_write::assign, {});
  CHECK(seen.loss == parts.loss);
  CHECK(seen.count == 7);
  CHECK(seen.entropy == parts.entropy);
  CHECK(d_logits == expected);
  CHECK(own == losses);
  CHECK(log_prob == values);
  CHECK(entropy == entropies);
}

TEST_CASE("entropies are there where they are wanted without a bonus, and nobody asks for them else") {
  sampled of;
  auto const loss = prefopt::make_token_loss("ppo_clip");
  prefopt::policy_tokens<double> const given{.old_log_prob = of.old_log_prob, .advantage = of.advantage};
  auto const policy = of.policy();
  std::vector<double> log_prob(9), entropy(9), values(9), entropies(9);
  auto const seen = evaluate(loss, policy, given, {.log_prob = log_prob, .entropy = entropy});
  prefopt::logit_policy<double>::state kept;
  policy.log_probs(kept, values, entropies, {});
  CHECK(entropy == entropies);

  // Log-probs as they are know no entropy.
  prefopt::packed_tokens<double> const tokens{.log_prob = log_prob, .offsets = of.offsets};
  std::vector<double> without = of.old_log_prob;
  without[2] = log_prob[2];
  std::size_t const counted = evaluate(loss, prefopt::token_policy<prefopt::packed_tokens<double>>{tokens},
                                       {.old_log_prob = without, .advantage = of.advantage})
                                  .count;
  CHECK(counted == 9);
  CHECK(seen.count == 8);
}

TEST_CASE("the gradient by logits is that of the loss") {
  for (char const* const name : {"ppo_clip", "gspo", "gmpo", "sequence_clip", "sapo", "dro_token"}) {
    for (auto const mode : {prefopt::aggregation_mode::token_mean, prefopt::aggregation_mode::sequence_mean_of_means}) {
      sampled of;
      auto loss = loss_with_all(name, mode);
      std::vector<double> d_logits(of.logits.size());
      evaluate(loss, of.policy(d_logits.data()), of.given());
      double worst = 0;
      for (std::size_t i = 0; i < of.logits.size(); ++i) {
        double const step = 1e-5, x = of.logits[i];
        auto const at = [&](double value) {
          of.logits[i] = value;
          return evaluate(loss, of.policy(), of.given()).loss;
        };
        double const quotient = (at(x + step) - at(x - step)) / (2 * step);
        of.logits[i] = x;
        worst = std::max(worst, std::fabs(quotient - d_logits[i]));
      }
      CAPTURE(name, worst);
      // Third derivatives of up to a few tens, and roundings of the loss over the step.
      CHECK(worst < 1e-8);
    }
  }
}

TEST_CASE("from hidden states as from logits; into the logits' memory, and added") {
  sampled of;
  auto const loss = loss_with_all("ppo_clip", prefopt::aggregation_mode::token_mean);
  std::vector<double> d_logits(of.logits.size()), d_hidden(of.hidden.size()), d_weight(of.weight.size());
  auto const by_logits = evaluate(loss, of.policy(d_logits.data()), of.given());
  prefopt::linear_policy<double, plain_product<double>> head{
      .head = {.hidden = {of.hidden.data(), of.tokens, of.width},
               .weight = {of.weight.data(), of.vocabulary, of.width}},
      .tokens = of.rows(),
      .gradients = {.hidden = {d_hidden.data(), of.tokens, of.width},
                    .weight = {d_weight.data(), of.vocabulary, of.width}}};
  head.transform = of.policy().transform;
  auto const by_hidden = evaluate(loss, head, of.given());
  CHECK(std::fabs(by_hidden.loss - by_logits.loss) < 1e-13);
  for (std::size_t i = 0; i < of.tokens; ++i) {
    for (std::size_t k = 0; k < of.width; ++k) {
      double sum = 0;
      for (std::size_t j = 0; j < of.vocabulary; ++j)
        sum += d_logits[i * of.vocabulary + j] * of.weight[j * of.width + k];
      CHECK(std::fabs(sum - d_hidden[i * of.width + k]) < 1e-13);
    }
  }

  auto added = d_logits;
  auto const twice = of.policy(added.data());
  evaluate(loss, twice, of.given(), {}, {.gradient = prefopt::gradient_write::accumulate});
  double worst = 0;
  for (std::size_t i = 0; i < added.size(); ++i) worst = std::max(worst, std::fabs(added[i] - 2 * d_logits[i]));
  CHECK(worst < 1e-15);

  sampled in_place;
  auto const policy = in_place.policy(in_place.logits.data());
  evaluate(loss, policy, in_place.given());
  CHECK(in_place.logits == d_logits);
}

TEST_CASE("the reference as a policy") {
  sampled of, other;
  for (double& x : other.logits) x *= 0.9;
  auto const loss = loss_with_all("ppo_clip", prefopt::aggregation_mode::token_mean);
  std::vector<double> log_prob(9);
  evaluate(prefopt::policy_gradient<prefopt::surrogate::reinforce>{}, other.policy(), {.advantage = of.advantage},
           {.log_prob = log_prob});
  auto by_column = of.given(), by_policy = of.given();
  by_column.ref_log_prob = log_prob;
  by_policy.ref_log_prob = {};
  CHECK(evaluate(loss, of.policy(), other.policy(), by_policy).loss == evaluate(loss, of.policy(), by_column).loss);
  CHECK(refusal([&] { evaluate(loss, of.policy(), other.policy(), by_column); }) ==
        "prefopt::evaluate: ref_log_prob and a reference policy are both given");
  other.labels[0] = -100;
  CHECK(refusal([&] { evaluate(loss, of.policy(), other.policy(), by_policy); }) ==
        "prefopt::evaluate: labels or masks of the reference leave out other tokens than those of the policy");
  other.labels[0] = 3;
  other.offsets = {0, 3, 7, 9};
  CHECK(refusal([&] { evaluate(loss, of.policy(), other.policy(), by_policy); }) ==
        "prefopt::evaluate: the sequences of the reference have other lengths: it has 9 tokens, the policy has 9");
}

TEST_CASE("what a chain of tokens refuses, before anything is written") {
  sampled of;
  std::vector<double> d_logits(of.logits.size(), 7), eight(8);
  auto const untouched = d_logits;
  auto const loss = loss_with_all("ppo_clip", prefopt::aggregation_mode::token_mean);
  auto given = of.given();
  given.mask = eight;
  CHECK(refusal([&] { evaluate(loss, of.policy(d_logits.data()), given); }) ==
        "prefopt::evaluate: mask has 8 elements, the policy has 9 tokens");
  CHECK(refusal([&] { evaluate(loss, of.policy(d_logits.data()), of.given(), {.log_prob = eight}); }) ==
        "prefopt::evaluate: output log_prob has 8 elements, the policy has 9 tokens");
  std::vector<double> const none;
  given.mask = none;
  CHECK(refusal([&] { evaluate(loss, of.policy(d_logits.data()), given); }) ==
        "prefopt::evaluate: mask has 0 elements, the policy has 9 tokens");
  given = of.given();
  given.old_log_prob = eight;
  CHECK(refusal([&] { evaluate(loss, of.policy(d_logits.data()), given); }) ==
        "prefopt::evaluate: old_log_prob has 8 elements, log_prob has 9");
  given = of.given();
  given.ref_log_prob = {};
  CHECK(refusal([&] { evaluate(loss, of.policy(d_logits.data()), given); }) ==
        "prefopt::evaluate: ppo_clip needs the column ref_log_prob, which is not given");
  std::vector<double> const weights(9, 1);
  auto weighted = of.policy(d_logits.data());
  weighted.tokens.weight = weights;
  CHECK(refusal([&] { evaluate(loss, weighted, of.given()); }) ==
        "prefopt::evaluate: the policy has weights of tokens, which are of a sequence's score: a loss of tokens has "
        "none");
  // Log-probs as they are know no entropy.
  std::vector<unsigned char> const counted(9, 1);
  prefopt::packed_tokens<double> const packed{.log_prob = of.old_log_prob, .offsets = of.offsets, .mask = counted};
  prefopt::token_policy<prefopt::packed_tokens<double>> const as_given{packed, {}};
  CHECK(refusal([&] { evaluate(loss, as_given, of.given()); }) ==
        "prefopt::evaluate: the entropy is wanted, which this policy does not know");
  CHECK(d_logits == untouched);
}
