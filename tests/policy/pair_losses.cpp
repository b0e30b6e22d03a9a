// From logits to every pair loss of the list, and the gradient back to every logit.
#include <catch.hpp>
#include <cstdio>
#include <prefopt/chain/evaluate_policy.hpp>
#include <prefopt/chain/logit_policy.hpp>
#include <string>

#include "oracle/every_loss.hpp"
#include "oracle/front.hpp"
#include "sequences.hpp"

namespace {

using prefopt::columns;

/// Pairs among 8 sequences: 2 is in three of them, 1 in one with itself, 5 in none.
struct pairs_of_sequences {
  std::vector<int> chosen{2, 0, 2, 7, 1, 4}, rejected{0, 3, 6, 2, 1, 3};
  std::vector<double> ref_log_prob, weight, margin, label, reliability;

  pairs_of_sequences() {
    oracle::random_numbers random{5};
    for (int i = 0; i < 8; ++i) ref_log_prob.push_back(-random.uniform(0, 12));
    for (std::size_t i = 0; i < chosen.size(); ++i) {
      weight.push_back(i == 3 ? 0 : random.uniform(0.5, 2));
      margin.push_back(random.uniform());
      label.push_back(random.uniform());
      reliability.push_back(random.uniform(0.5, 1));
    }
  }

  template <class L>
  [[nodiscard]] prefopt::policy_pairs<double> batch() const {
    prefopt::policy_pairs<double> batch{.chosen = chosen, .rejected = rejected, .weight = weight};
    if (oracle::reads<L>(columns::reference)) batch.ref_log_prob = ref_log_prob;
    if (oracle::reads<L>(columns::margin)) batch.margin = margin;
    if (oracle::reads<L>(columns::label)) batch.label = label;
    if (oracle::reads<L>(columns::reliability)) batch.reliability = reliability;
    return batch;
  }

  [[nodiscard]] std::size_t size() const { return chosen.size(); }
};

std::vector<double> gathered(std::vector<double> const& values, std::vector<int> const& at) {
  std::vector<double> result;
  for (int const i : at) result.push_back(values[static_cast<std::size_t>(i)]);
  return result;
}

/// Calls f.operator()<L>() for every loss, and for every modifier over one that reads a reference, one that reads
/// lengths and one that reads margins: the chain knows a loss by its columns alone.
template <class F>
void for_the_losses(F const& f) {
  prefopt::pair_losses::for_each(f);
  prefopt::loss_list<prefopt::dpo, prefopt::simpo, prefopt::bradley_terry>::for_each(
      [&]<class L> { prefopt::modifiers_of<L>::type::for_each(f); });
}

/// Everything that one call gives.
struct chain_results {
  std::vector<double> d_logits, loss, chosen_reward, rejected_reward, posterior, log_prob, length;
  prefopt::report seen;

  template <class L>
  chain_results(L const& loss_function, sequences<double> const& data, pairs_of_sequences const& pairs)
      : d_logits{untouched_like(data.memory)},
        loss(pairs.size()),
        chosen_reward(pairs.size()),
        rejected_reward(pairs.size()),
        posterior(prefopt::detail::traits_of<L>.has_posterior ? pairs.size() : 0),
        log_prob(data.count()),
        length(data.count()),
        seen{front::evaluate(loss_function, data.policy(d_logits), pairs.template batch<L>(),
                             {.loss = loss,
                              .chosen_reward = chosen_reward,
                              .rejected_reward = rejected_reward,
                              .posterior = posterior,
                              .log_prob = log_prob,
                              .length = length})} {}
};

/// Against `evaluate` of the columns that the chain should make of its log-probs: the same bits, and the gradients by
/// columns carried to the logits.
template <class L>
void check_against_columns(L const& loss, sequences<double> const& data, pairs_of_sequences const& pairs,
                           chain_results const& got, worst_share& worst) {
  std::size_t const n = pairs.size();
  auto const chosen = gathered(got.log_prob, pairs.chosen), rejected = gathered(got.log_prob, pairs.rejected),
             ref_chosen = gathered(pairs.ref_log_prob, pairs.chosen),
             ref_rejected = gathered(pairs.ref_log_prob, pairs.rejected),
             chosen_length = gathered(got.length, pairs.chosen), rejected_length = gathered(got.length, pairs.rejected);
  auto const given = pairs.template batch<L>();
  prefopt::pair_batch<double> batch{.chosen = chosen,
                                    .rejected = rejected,
                                    .weight = given.weight,
                                    .margin = given.margin,
                                    .label = given.label,
                                    .reliability = given.reliability};
  if (oracle::reads<L>(columns::reference)) batch.ref_chosen = ref_chosen, batch.ref_rejected = ref_rejected;
  if (oracle::reads<L>(columns::length)) batch.chosen_length = chosen_length, batch.rejected_length = rejected_length;
  std::vector<double> values(n), d_chosen(n), d_rejected(n), chosen_reward(n), rejected_reward(n),
      posterior(got.posterior.size());
  auto const seen = front::evaluate(loss, batch,
                                    {.loss = values,
                                     .d_chosen = d_chosen,
                                     .d_rejected = d_rejected,
                                     .chosen_reward = chosen_reward,
                                     .rejected_reward = rejected_reward,
                                     .posterior = posterior});
  CHECK(same_bits(seen, got.seen));
  CHECK(same_numbers(values, got.loss));
  CHECK(same_numbers(chosen_reward, got.chosen_reward));
  CHECK(same_numbers(rejected_reward, got.rejected_reward));
  CHECK(same_numbers(posterior, got.posterior));
  sequence_gradients d{data.count()};
  for (std::size_t i = 0; i < n; ++i) {
    auto const add = [&](int sequence, double value) {
      auto const at = static_cast<std::size_t>(sequence);
      d.value[at] += value;
      // The sum over a sequence's pairs, in double: at most six terms.
      d.bound[at] += 3 * spacing<double> * std::fabs(value);
    };
    add(pairs.chosen[i], d_chosen[i]);
    add(pairs.rejected[i], d_rejected[i]);
  }
  check_logit_gradients(data, got.d_logits, d, worst);
}

/// Against the oracle, from exact log-probs: which share nothing with the library.
template <class L>
void check_against_oracle(L const& loss, sequences<double> const& data, pairs_of_sequences const& pairs,
                          chain_results const& got, worst_share& worst_loss, worst_share& worst_gradient) {
  real const eps = spacing<double>;
  real total_weight = 0;
  for (double const weight : pairs.weight) total_weight += weight;
  sequence_gradients d{data.count()};
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    auto const w = static_cast<std::size_t>(pairs.chosen[i]), l = static_cast<std::size_t>(pairs.rejected[i]);
    auto const chosen = data.truth_of(w), rejected = data.truth_of(l);
    oracle::pair p{.chosen = chosen.log_prob, .rejected = rejected.log_prob};
    if (oracle::reads<L>(columns::reference)) {
      p.ref_chosen = pairs.ref_log_prob[w], p.ref_rejected = pairs.ref_log_prob[l];
    }
    if (oracle::reads<L>(columns::length)) {
      p.chosen_length = static_cast<real>(chosen.length), p.rejected_length = static_cast<real>(rejected.length);
    }
    if (oracle::reads<L>(columns::margin)) p.margin = pairs.margin[i];
    if (oracle::reads<L>(columns::label)) p.label = pairs.label[i];
    if (oracle::reads<L>(columns::reliability)) p.reliability = pairs.reliability[i];
    real const inputs =
        std::max(chosen.bound / std::fabs(chosen.log_prob), rejected.bound / std::fabs(rejected.log_prob)) / eps;
    auto const [right, bound] = oracle::expected<double>(loss, p, inputs);
    real const weight = pairs.weight[i];
    INFO(oracle::describe(loss) << " pair " << i);
    bool const is_within =
        worst_loss.within(got.loss[i], weight * right.loss, weight * (bound.loss + eps * std::fabs(right.loss)));
    if (!is_within) CHECK(static_cast<real>(got.loss[i]) == weight * right.loss);
    auto const add = [&](std::size_t sequence, real value, real within) {
      real const share = weight / total_weight;
      d.value[sequence] += share * value;
      // The weight, its share of the sum (8 roundings of the sum and the quotient), the sum over pairs (6).
      d.bound[sequence] += share * (within + 8 * eps * std::fabs(value));
    };
    add(w, right.d_chosen, bound.d_chosen);
    add(l, right.d_rejected, bound.d_rejected);
  }
  check_logit_gradients(data, got.d_logits, d, worst_gradient);
}

}  // namespace

TEST_CASE("every pair loss, and every modifier over three of them, from logits to their gradient") {
  sequences<double> const data{8, 7, 11};
  pairs_of_sequences const pairs;
  oracle::random_numbers random{3};
  worst_share sums, from_columns, loss_share, gradient_share;
  std::size_t losses = 0;
  for_the_losses([&]<class L> {
    for (L const& loss : oracle::variants_of<L>(2, random)) {
      INFO(oracle::describe(loss));
      chain_results const got{loss, data, pairs};
      check_sequences(data, got.log_prob, got.length, sums);
      check_against_columns(loss, data, pairs, got, from_columns);
      check_against_oracle(loss, data, pairs, got, loss_share, gradient_share);
      ++losses;
    }
  });
  CHECK(losses >= 3 * (10 + 12));
  std::printf(
      "%zu pair losses from logits: largest errors as shares of their bounds: log-probs %.2Lf, losses %.2Lf, gradients "
      "%.2Lf, and %.2Lf from the columns' own\n",
      losses, sums.share, loss_share.share, gradient_share.share, from_columns.share);
}
