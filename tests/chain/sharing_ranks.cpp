// Ranks that share a policy's head, some with other batches, and one of them refuses what the others would compute.
#include <catch.hpp>
#include <functional>
#include <limits>
#include <memory>
#include <prefopt/chain/evaluate.hpp>
#include <prefopt/chain/evaluate_tokens.hpp>
#include <prefopt/chain/linear_policy.hpp>
#include <prefopt/loss/aot.hpp>
#include <prefopt/loss/dpo.hpp>
#include <prefopt/loss/grpo.hpp>
#include <prefopt/loss/kto.hpp>
#include <ranks/rank_group.hpp>
#include <string>
#include <vector>

#include "host_products.hpp"
#include "linear_data.hpp"

namespace {

/// One rank's arguments, for a test to spoil, and its results.
struct rank_call {
  static constexpr std::size_t shards = 2, sequences = 4, length = 3, rows = sequences * length, vocabulary = 13,
                               width = 5;
  static constexpr double untouched = -77;

  linear_data<double> data{rows, vocabulary, width};
  double beta = 0.1;
  std::vector<double> reference = std::vector<double>(sequences, -7), weight = std::vector<double>(sequences, 1),
                      advantage = std::vector<double>(sequences, 1), of_tokens = std::vector<double>(rows, -2),
                      label{1, 0, 1, 0};
  std::size_t tokens_per_sequence = length;
  prefopt::options options{};
  bool has_reference_policy = false, reference_is_shared = true, policy_is_shared = true;

  double loss = untouched;
  std::vector<double> losses = std::vector<double>(sequences, untouched), hidden, weights;

  using product = plain_product<double>;
  using policy_type = prefopt::linear_policy<double, product>;

  policy_type policy(prefopt::vocabulary_shard const& shard) {
    std::size_t const count = shard.all_reduce ? (shard.rank == 0 ? 6 : 7) : vocabulary;
    policy_type made{.head = {.hidden = data.head().hidden, .weight = data.head().weight.rows_from(shard.first, count)},
                     .tokens = {.labels = data.labels, .tokens_per_sequence = tokens_per_sequence},
                     .shard = shard};
    return made;
  }
  policy_type wanted(prefopt::vocabulary_shard const& shard) {
    policy_type made = policy(shard);
    hidden.assign(rows * width, untouched);
    weights.assign(made.head.weight.rows() * width, untouched);
    made.gradients = {.hidden = {hidden.data(), rows, width},
                      .weight = {weights.data(), made.head.weight.rows(), width}};
    return made;
  }
  bool is_untouched() const {
    auto const all = [](std::vector<double> const& values) {
      return std::ranges::all_of(values, [](double x) { return x == untouched; });
    };
    return loss == untouched && all(losses) && all(hidden) && all(weights);
  }
};

using call_type = std::function<double(rank_call&, prefopt::vocabulary_shard const&)>;

template <class Loss, class Batch>
double evaluated(Loss const& loss, rank_call& call, prefopt::vocabulary_shard const& shard, Batch batch,
                 std::span<double> losses) {
  prefopt::vocabulary_shard const whole{};
  auto const policy = call.wanted(call.policy_is_shared ? shard : whole);
  if (!call.has_reference_policy) {
    batch.ref_log_prob = call.reference;
    return evaluate(loss, policy, batch, {.loss = losses}, call.options).loss;
  }
  auto const reference = call.policy(call.reference_is_shared ? shard : whole);
  return evaluate(loss, policy, reference, batch, {.loss = losses}, call.options).loss;
}

double evaluated_pairs(rank_call& call, prefopt::vocabulary_shard const& shard) {
  return evaluated(prefopt::dpo{.beta = call.beta}, call, shard,
                   prefopt::policy_pairs<double>{.weight = std::span{call.weight}.first(2)},
                   std::span{call.losses}.first(2));
}
double evaluated_by_rank(rank_call& call, prefopt::vocabulary_shard const& shard) {
  return evaluated(prefopt::aot{.beta = call.beta}, call, shard, prefopt::policy_pairs<double>{},
                   std::span{call.losses}.first(2));
}
double evaluated_completions(rank_call& call, prefopt::vocabulary_shard const& shard) {
  return evaluated(prefopt::kto{.beta = call.beta}, call, shard,
                   prefopt::policy_completions<double>{.label = call.label, .weight = call.weight}, call.losses);
}
double evaluated_tokens(rank_call& call, prefopt::vocabulary_shard const& shard) {
  prefopt::vocabulary_shard const whole{};
  auto const policy = call.wanted(call.policy_is_shared ? shard : whole);
  prefopt::policy_tokens<double> tokens{.old_log_prob = call.of_tokens, .advantage = call.advantage};
  prefopt::grpo const loss{.high = call.beta};
  if (!call.has_reference_policy) {
    tokens.ref_log_prob = call.of_tokens;
    return evaluate(loss, policy, tokens, {}, call.options).loss;
  }
  return evaluate(loss, policy, call.policy(call.reference_is_shared ? shard : whole), tokens, {}, call.options).loss;
}

/// A call of two ranks that share a head for each of some batches; rank r has the shard r % 2 of the batch r / 2. Nothing
/// is asserted in the threads.
struct grid_outcome {
  std::vector<rank_call> calls;
  std::vector<rank_outcome> ranks;
};
grid_outcome run_grid(std::size_t batches, call_type const& body, std::function<void(rank_call&)> const& change,
                      std::function<void(rank_call&)> const& spoil, std::size_t spoilt) {
  std::size_t const all = rank_call::shards * batches;
  std::vector<std::unique_ptr<rank_group>> with_one_head, with_one_shard;
  for (std::size_t batch = 0; batch < batches; ++batch)
    with_one_head.push_back(std::make_unique<rank_group>(rank_call::shards));
  for (std::size_t s = 0; s < rank_call::shards; ++s) with_one_shard.push_back(std::make_unique<rank_group>(batches));
  grid_outcome got{std::vector<rank_call>(all), {}};
  got.ranks = run_ranks(all, [&](std::size_t rank, rank_sum&) {
    struct ending {
      rank_group &head, &shard;
      ~ending() {
        head.end();
        shard.end();
      }
    } const ends{*with_one_head[rank / rank_call::shards], *with_one_shard[rank % rank_call::shards]};
    rank_sum over_head{&ends.head}, over_batches{&ends.shard};
    rank_call& call = got.calls[rank];
    change(call);
    if (rank == spoilt) spoil(call);
    if (batches > 1) call.options.all_reduce = over_batches;
    std::size_t const own = rank % rank_call::shards;
    call.loss = body(call, {.all_reduce = over_head,
                            .first = own == 0 ? 0U : 6U,
                            .vocabulary = rank_call::vocabulary,
                            .rank = own,
                            .ranks = rank_call::shards});
  });
  return got;
}

void check_refused(
    char const* expected, call_type const& body, std::function<void(rank_call&)> const& spoil,
    std::function<void(rank_call&)> const& change = [](rank_call&) {}) {
  for (std::size_t const batches : {1U, 2U}) {
    for (std::size_t spoilt = 0; spoilt < rank_call::shards * batches; ++spoilt) {
      grid_outcome const got = run_grid(batches, body, change, spoil, spoilt);
      for (std::size_t rank = 0; rank < got.ranks.size(); ++rank) {
        CAPTURE(expected, batches, spoilt, rank, got.ranks[rank].error);
        CHECK_FALSE(got.ranks[rank].hung);
        CHECK(got.ranks[rank].error.find(rank == spoilt ? expected : "another rank refused its ") != std::string::npos);
        CHECK(got.calls[rank].is_untouched());
      }
    }
  }
}

void has_reference(rank_call& call) { call.has_reference_policy = true; }
void has_whole_reference(rank_call& call) {
  call.has_reference_policy = true;
  call.reference_is_shared = false;
}
void has_shared_reference_alone(rank_call& call) {
  call.has_reference_policy = true;
  call.policy_is_shared = false;
}

}  // namespace

TEST_CASE("what a rank refuses around a head that others share all refuse, and with them those of other batches") {
  auto const short_reference = [](rank_call& call) { call.reference.pop_back(); };
  auto const negative_weight = [](rank_call& call) { call.weight[0] = -1; };
  auto const negative_beta = [](rank_call& call) { call.beta = -1; };
  auto const no_denominator = [](rank_call& call) { call.options.denominator = 0; };
  auto const bad_label = [](rank_call& call) { call.data.labels[0] = 13; };
  auto const bad_length = [](rank_call& call) { call.tokens_per_sequence = 5; };
  auto const nan_reference = [](rank_call& call) {
    call.options.non_finite = prefopt::on_invalid::error;
    call.reference[0] = std::numeric_limits<double>::quiet_NaN();
  };
  for (auto* const body : {evaluated_pairs, evaluated_by_rank, evaluated_completions}) {
    check_refused("ref_log_prob has 3 elements, the policy has 4 sequences", body, short_reference);
    if (body != evaluated_by_rank) check_refused("weight[0] is -1, expected a finite number", body, negative_weight);
    check_refused("beta is -1, expected a finite number > 0", body, negative_beta);
    check_refused("denominator is 0", body, no_denominator);
    check_refused("labels[0] is 13", body, bad_label);
    check_refused("tokens_per_sequence", body, bad_length);
    check_refused("is nan, expected a finite number", body, nan_reference);
  }
  auto const bad_kind = [](rank_call& call) { call.label[1] = 7; };
  check_refused("label[1] is 7", evaluated_completions, bad_kind);

  auto const short_advantages = [](rank_call& call) { call.advantage.pop_back(); };
  auto const nan_advantage = [](rank_call& call) {
    call.options.non_finite = prefopt::on_invalid::error;
    call.advantage[2] = std::numeric_limits<double>::quiet_NaN();
  };
  check_refused("advantage has 3 elements", evaluated_tokens, short_advantages);
  check_refused("advantage[2] is nan", evaluated_tokens, nan_advantage);
  check_refused("high is -1", evaluated_tokens, negative_beta);
  check_refused("denominator is 0", evaluated_tokens, no_denominator);
  check_refused("labels[0] is 13", evaluated_tokens, bad_label);
}

TEST_CASE("what a rank refuses all refuse, whether the reference, the policy or both are shared") {
  auto const negative_weight = [](rank_call& call) { call.weight[0] = -1; };
  auto const negative_beta = [](rank_call& call) { call.beta = -1; };
  auto const nan_advantage = [](rank_call& call) {
    call.options.non_finite = prefopt::on_invalid::error;
    call.advantage[2] = std::numeric_limits<double>::quiet_NaN();
  };
  for (auto* const change : {has_reference, has_whole_reference, has_shared_reference_alone}) {
    check_refused("beta is -1", evaluated_pairs, negative_beta, change);
    check_refused("weight[0] is -1", evaluated_pairs, negative_weight, change);
    check_refused("weight[0] is -1", evaluated_completions, negative_weight, change);
    check_refused("high is -1", evaluated_tokens, negative_beta, change);
    check_refused("advantage[2] is nan", evaluated_tokens, nan_advantage, change);
  }
}

TEST_CASE("a loss over a shared head, of one batch and of two, is that of a whole one") {
  for (call_type const body : {evaluated_pairs, evaluated_by_rank, evaluated_completions, evaluated_tokens}) {
    for (auto* const change : {has_reference, has_whole_reference, has_shared_reference_alone}) {
      rank_call whole;
      change(whole);
      whole.loss = body(whole, {});
      for (std::size_t const batches : {1U, 2U}) {
        grid_outcome const got = run_grid(
            batches, body, change, [](rank_call&) {}, 0);
        for (std::size_t rank = 0; rank < got.ranks.size(); ++rank) {
          CAPTURE(batches, rank);
          REQUIRE(got.ranks[rank].error == "no error");
          CHECK(std::fabs(got.calls[rank].loss - whole.loss) <= 1e-13 * std::fabs(whole.loss));
          // The batches are alike, and the mean is over both.
          auto const& hidden = got.calls[rank].hidden;
          REQUIRE(hidden.size() == whole.hidden.size());
          for (std::size_t i = 0; i < hidden.size(); ++i) {
            CHECK(std::fabs(static_cast<double>(batches) * hidden[i] - whole.hidden[i]) <= 1e-13);
          }
        }
      }
    }
  }
}
