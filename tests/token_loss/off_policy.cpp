// Tokens of sequences that have gone far, dropped as if they were masked.
#include <catch.hpp>
#include <cmath>
#include <cstddef>
#include <limits>
#include <refusal.hpp>
#include <special_numbers.hpp>
#include <vector>

#include "token_loss/tokens.hpp"

using namespace prefopt;

namespace {

/// The batch with what should be dropped masked; nothing if rounding would choose.
template <class T>
bool mask_off_policy(tokens<T>& data, double limit, bool reads_rollout, std::size_t& dropped) {
  if (data.mask.empty()) data.mask.assign(data.size(), T(1));
  for (std::size_t s = 0; s < data.sequences(); ++s) {
    oracle::real sum = 0, count = 0;
    for (std::size_t t = data.begin(s); t < data.end(s); ++t) {
      if (data.mask[t] == 0) continue;
      sum += oracle::real(reads_rollout ? data.rollout_log_prob[t] : data.old_log_prob[t]) - data.log_prob[t];
      ++count;
    }
    if (count == 0) continue;
    if (std::fabs(sum / count - limit) < 1e-9L) return false;
    if (sum / count < limit) continue;
    for (std::size_t t = data.begin(s); t < data.end(s); ++t) {
      if (data.mask[t] == 0 || !(data.advantage_at(s, t) < 0)) continue;
      data.mask[t] = 0;
      ++dropped;
    }
  }
  return true;
}

}  // namespace

TEMPLATE_TEST_CASE("tokens off-policy are dropped as if they were masked, with any loss", "", float, double) {
  using T = TestType;
  oracle::random_numbers random{95};
  std::size_t dropped = 0, compared = 0;
  for (std::size_t round = 0; round < 600; ++round) {
    auto loss = random_loss(random);
    INFO(description(loss));
    auto data = random_tokens<T>(random, random.chance(0.5));
    if (random.chance(0.1)) data.mask.clear();
    // Where there is no correction, the column is read by the mask alone.
    data.gives_rollout = loss.correction.mode != correction_mode::none || random.chance(0.5);
    double const limit = random.chance(0.5) ? 0.01 : -0.03;
    loss.correction.off_policy_limit = limit;
    loss.correction.drops_off_policy = true;
    auto masked = data;
    if (!mask_off_policy(masked, limit, data.gives_rollout, dropped)) continue;
    auto plain = loss;
    plain.correction.drops_off_policy = false;
    plain.correction.off_policy_limit = infinity<double>;
    options options;
    if (random.chance(0.2)) options.denominator = 7;
    if (random.chance(0.3)) options.non_finite = on_invalid::error;
    written<T> const got{loss, data, options}, expected{plain, masked, options};
    CHECK(got.same_bits(0, data.size(), expected, 0));
    CHECK(oracle::same_bits(got.seen.loss, expected.seen.loss));
    CHECK(got.seen.count == expected.seen.count);
    CHECK(got.seen.sequences == expected.seen.sequences);
    CHECK(got.seen.empty == expected.seen.empty);
    CHECK(got.seen.denominator == expected.seen.denominator);
    CHECK(got.seen.masked_share == expected.seen.masked_share);
    CHECK(oracle::same_bits(got.seen.effective_sample_size, expected.seen.effective_sample_size));
    ++compared;
  }
  CHECK(compared > 500);
  CHECK(dropped > 500);
}

TEMPLATE_TEST_CASE("what is dropped hides no error, and what is skipped says nothing of its sequence", "", float,
                   double) {
  using T = TestType;
  auto loss = made_token_loss("ppo_clip");
  loss.correction.off_policy_limit = 0.5;
  loss.correction.drops_off_policy = true;
  tokens<T> data;
  data.log_prob = {T(-3), T(-2), T(-1), T(-1)};
  data.old_log_prob = {T(-2), T(-1), T(-1), T(-1)};
  data.advantage = {T(-1), T(1), T(-1), T(1)};
  data.entropy.assign(4, T(1));
  data.offsets = {0, 2, 4};
  data.group_offsets = {0, 2};
  data.gives_rollout = false;
  written<T> const got{loss, data};
  CHECK(got.seen.count == 3);
  CHECK(got.seen.denominator == 3);
  CHECK((got.loss[0] == 0 && got.d_log_prob[0] == 0));
  CHECK(got.loss[1] != 0);
  // An infinite advantage of a token that would be dropped.
  auto bad = data;
  bad.advantage[0] = -infinity<T>;
  CHECK(refusal([&] {
          written<T>{loss, bad, {.non_finite = on_invalid::error}};
        }) == "prefopt::evaluate: advantage[0] is -inf, expected a finite number");
  // Skipped, a log-prob that is none does not make its sequence's mean one.
  bad = data;
  bad.log_prob[0] = -infinity<T>;
  bad.advantage[1] = T(-1);
  bad.log_prob[1] = T(-1);
  written<T> const skipped{loss, bad, {.non_finite = on_invalid::skip}};
  CHECK(skipped.seen.skipped == 1);
  CHECK(skipped.seen.count == 3);
  CHECK(skipped.loss[1] != 0);
  // Gone on with, it does.
  written<T> const propagated{loss, bad};
  CHECK(propagated.seen.count == 2);
  CHECK((propagated.loss[0] == 0 && propagated.loss[1] == 0));
  // All of them.
  data.advantage.assign(4, T(-1));
  data.old_log_prob.assign(4, T(0));
  written<T> const none{loss, data};
  CHECK(none.seen.count == 0);
  CHECK(none.seen.empty == 2);
  CHECK(none.seen.loss == 0);
  CHECK(none.seen.masked_share == 1);
}

TEMPLATE_TEST_CASE("equal corrections have the effective sample size of all tokens, however small", "", float, double) {
  using T = TestType;
  constexpr std::size_t sequences = 4, length = 700, tokens = sequences * length;
  auto loss = made_token_loss("reinforce");
  loss.correction = {.mode = correction_mode::sequence_truncate, .high = 2};
  std::vector<T> const log_prob(tokens, T(-1)), rollout(tokens, T(-0.875)), advantage(sequences, T(1));
  std::vector<std::int64_t> offsets;
  for (std::size_t s = 0; s <= sequences; ++s) offsets.push_back(static_cast<std::int64_t>(s * length));
  // e^(-87.5) is a float, and its square is none.
  auto const seen = evaluate(loss, token_batch<T>{.log_prob = log_prob,
                                                  .old_log_prob = log_prob,
                                                  .rollout_log_prob = rollout,
                                                  .advantage = advantage,
                                                  .offsets = offsets});
  // A block has 512 tokens, in two lanes of double or four of float: a sum, which is squared, and that of the squares are
  // each off by half an epsilon a number.
  double const tolerance = 1.5 * 256 * static_cast<double>(std::numeric_limits<T>::epsilon());
  CHECK(std::fabs(seen.effective_sample_size - tokens) <= tolerance * tokens);
}
