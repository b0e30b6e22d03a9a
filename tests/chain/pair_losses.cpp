// From logits to every pair loss of the list, and the gradient back to every logit.
#include <catch.hpp>
#include <cstdio>
#include <prefopt/chain/evaluate.hpp>
#include <prefopt/chain/logit_policy.hpp>
#include <string>
#include <vector>

#include "oracle/made_loss.hpp"
#include "oracle/pair_oracle.hpp"
#include "sequences.hpp"

namespace {

using oracle::named_loss;
using oracle::pair_columns;

/// Pairs among 8 sequences: 2 is in three of them, 1 in one with itself, 5 in none.
struct pairs_of_sequences {
  std::vector<int> chosen{2, 0, 2, 7, 1, 4}, rejected{0, 3, 6, 2, 1, 3};
  std::vector<double> ref_log_prob, weight;
  std::vector<oracle::pair> rows;  ///< what comes with the pairs and not from a policy
  std::vector<std::vector<double>> columns;

  pairs_of_sequences() {
    oracle::random_numbers random{5};
    for (int i = 0; i < 8; ++i) ref_log_prob.push_back(-random.uniform(0, 12));
    for (std::size_t i = 0; i < chosen.size(); ++i) {
      weight.push_back(i == 3 ? 0 : random.uniform(0.5, 2));
    }
    rows = oracle::random_pairs(chosen.size(), random);
    for (oracle::pair& row : rows) {
      row.margin = random.uniform();
      row.label = random.uniform();
      row.reliability = random.uniform(0.5, 1);
    }
    fill_columns();
  }

  /// With labels and the like that the loss takes.
  [[nodiscard]] pairs_of_sequences admitted(named_loss const& loss) const {
    pairs_of_sequences taken = *this;
    taken.rows = oracle::pair_oracle{loss}.admitted(rows);
    taken.fill_columns();
    return taken;
  }

  void fill_columns() {
    columns.clear();
    for (auto const& column : oracle::pair_column_table) {
      auto& values = columns.emplace_back();
      for (oracle::pair const& row : rows) values.push_back(static_cast<double>(row.*column.value));
    }
  }

  /// Those of the columns that do not come from a policy.
  [[nodiscard]] prefopt::pair_batch<double> data(pair_columns const& read) const {
    prefopt::pair_batch<double> batch{.weight = weight};
    for (std::size_t c = 0; c < columns.size(); ++c) {
      auto const& column = oracle::pair_column_table[c];
      bool const is_of_policy =
          column.kind == nullptr || column.kind == &pair_columns::reference || column.kind == &pair_columns::length;
      if (is_of_policy || !(read.*column.kind)) continue;
      for (auto const& row : prefopt::pair_family::inputs<double>) {
        if (row.name == column.name) batch.*row.values = columns[c];
      }
    }
    return batch;
  }

  [[nodiscard]] prefopt::policy_pairs<double> batch(pair_columns const& read) const {
    prefopt::policy_pairs<double> batch{.chosen = chosen, .rejected = rejected};
    prefopt::detail::copy_pair_columns(batch, data(read));
    if (read.reference) batch.ref_log_prob = ref_log_prob;
    return batch;
  }

  [[nodiscard]] std::size_t size() const { return chosen.size(); }
};

std::vector<double> gathered(std::vector<double> const& values, std::vector<int> const& at) {
  std::vector<double> result;
  for (int const i : at) result.push_back(values[static_cast<std::size_t>(i)]);
  return result;
}

/// Losses of every kind of columns, and every modifier over one that reads a reference, one that reads lengths and one
/// that reads margins: the chain knows a loss by its columns alone.
std::vector<named_loss> the_losses() {
  std::vector<named_loss> losses;
  for (char const* name :
       {"dpo",   "cdpo",        "rdpo",          "ipo",    "ipo_mean",   "simpo",         "ln_dpo",
        "hinge", "cpo",         "bradley_terry", "rpo_sq", "irepo",      "r_dpo",         "mallows_dpo",
        "tdpo",  "gaussian_bt", "davidson",      "orpo",   "cost_model", "rationale_dpo", "tpo_l"}) {
    losses.push_back({name});
  }
  for (char const* base : {"dpo", "simpo", "bradley_terry"}) {
    for (named_loss const& loss : oracle::modifications_of({base})) losses.push_back(loss);
  }
  return losses;
}

/// Everything that one call gives.
struct chain_results {
  std::vector<double> d_logits, loss, chosen_reward, rejected_reward, posterior, log_prob, length;
  prefopt::report seen;

  chain_results(prefopt::any_pair_loss const& loss_function, pair_columns const& read, sequences<double> const& data,
                pairs_of_sequences const& pairs)
      : d_logits{untouched_like(data.memory)},
        loss(pairs.size()),
        chosen_reward(pairs.size()),
        rejected_reward(pairs.size()),
        posterior(loss_function.has_posterior() ? pairs.size() : 0),
        log_prob(data.count()),
        length(data.count()),
        seen{front::evaluate(loss_function, data.policy(d_logits), pairs.batch(read),
                             {.loss = loss,
                              .chosen_reward = chosen_reward,
                              .rejected_reward = rejected_reward,
                              .posterior = posterior,
                              .log_prob = log_prob,
                              .length = length})} {}
};

/// Against `evaluate` of the columns that the chain should make of its log-probs: the same bits, and the gradients by
/// columns carried to the logits.
void check_against_columns(prefopt::any_pair_loss const& loss, pair_columns const& read, sequences<double> const& data,
                           pairs_of_sequences const& pairs, chain_results const& got, worst_share& worst) {
  std::size_t const n = pairs.size();
  auto const chosen = gathered(got.log_prob, pairs.chosen), rejected = gathered(got.log_prob, pairs.rejected),
             ref_chosen = gathered(pairs.ref_log_prob, pairs.chosen),
             ref_rejected = gathered(pairs.ref_log_prob, pairs.rejected),
             chosen_length = gathered(got.length, pairs.chosen), rejected_length = gathered(got.length, pairs.rejected);
  auto batch = pairs.data(read);
  batch.chosen = chosen;
  batch.rejected = rejected;
  if (read.reference) batch.ref_chosen = ref_chosen, batch.ref_rejected = ref_rejected;
  if (read.length) batch.chosen_length = chosen_length, batch.rejected_length = rejected_length;
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
void check_against_oracle(named_loss const& loss, sequences<double> const& data, pairs_of_sequences const& pairs,
                          chain_results const& got, worst_share& worst_loss, worst_share& worst_gradient) {
  oracle::pair_oracle const by_paper{loss};
  auto const read = by_paper.reads();
  real const eps = spacing<double>;
  real total_weight = 0;
  for (double const weight : pairs.weight) total_weight += weight;
  sequence_gradients d{data.count()};
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    auto const w = static_cast<std::size_t>(pairs.chosen[i]), l = static_cast<std::size_t>(pairs.rejected[i]);
    auto const chosen = data.truth_of(w), rejected = data.truth_of(l);
    oracle::pair p = oracle::as_read<double>(pairs.rows[i], read);
    p.chosen = chosen.log_prob, p.rejected = rejected.log_prob;
    if (read.reference) {
      p.ref_chosen = pairs.ref_log_prob[w], p.ref_rejected = pairs.ref_log_prob[l];
    }
    if (read.length) {
      p.chosen_length = static_cast<real>(chosen.length), p.rejected_length = static_cast<real>(rejected.length);
    }
    real const inputs =
        std::max(chosen.bound / std::fabs(chosen.log_prob), rejected.bound / std::fabs(rejected.log_prob)) / eps;
    auto const [right, bound] = by_paper.expected<double>(p, inputs);
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

TEST_CASE(
    "pair losses of every kind of columns, and every modifier over three of them, from logits to their gradient") {
  sequences<double> const data{8, 7, 11};
  pairs_of_sequences const all_pairs;
  oracle::random_numbers random{3};
  worst_share sums, from_columns, loss_share, gradient_share;
  std::size_t losses = 0;
  for (named_loss const& standard : the_losses()) {
    for (named_loss const& loss : oracle::variants_of(standard, 2, random)) {
      INFO(oracle::describe(loss));
      auto const made = oracle::made(loss);
      // Sums over the batch come with their own tests.
      if (made.facts().observed != 0) continue;
      auto const read = oracle::pair_oracle{loss}.reads();
      auto const pairs = all_pairs.admitted(loss);
      chain_results const got{made, read, data, pairs};
      check_sequences(data, got.log_prob, got.length, sums);
      check_against_columns(made, read, data, pairs, got, from_columns);
      check_against_oracle(loss, data, pairs, got, loss_share, gradient_share);
      ++losses;
    }
  }
  CHECK(losses >= 3 * (21 + 12));
  std::printf(
      "%zu pair losses from logits: largest errors as shares of their bounds: log-probs %.2Lf, losses %.2Lf, gradients "
      "%.2Lf, and %.2Lf from the columns' own\n",
      losses, sums.share, loss_share.share, gradient_share.share, from_columns.share);
}
