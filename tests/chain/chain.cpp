// The ways from logits to a loss and back: which sequences make pairs, how the gradient is written, what is left out.
#include <catch.hpp>
#include <cmath>
#include <cstdio>
#include <numeric>
#include <prefopt/chain/evaluate.hpp>
#include <prefopt/chain/logit_policy.hpp>
#include <prefopt/engine/any_loss.hpp>
#include <prefopt/loss/dpo.hpp>
#include <prefopt/loss/plackett_luce.hpp>
#include <prefopt/loss/simpo.hpp>
#include <refusal.hpp>

#include "sequences.hpp"
#include "thread_pool.hpp"

using prefopt::dpo;
using prefopt::gradient_write;
using prefopt::on_invalid;
using prefopt::plackett_luce;
using prefopt::policy_groups;
using prefopt::policy_pairs;
using prefopt::reduction;

namespace {

constexpr dpo chain_loss{.beta = 0.5};

template <class T>
std::vector<T> numbers(std::size_t count, std::uint64_t seed) {
  oracle::random_numbers random{seed};
  std::vector<T> values(count);
  for (T& x : values) x = static_cast<T>(-random.uniform(0, 12));
  return values;
}

/// dpo over halves, from the columns that the chain should make: derivatives by each sequence's log-prob.
template <class T>
sequence_gradients by_columns(std::vector<T> const& log_prob, std::vector<T> const& reference,
                              prefopt::options const& options, prefopt::report& seen) {
  std::size_t const n = log_prob.size() / 2;
  std::vector<T> d(2 * n);
  seen = evaluate(chain_loss,
                  prefopt::pair_batch<T>{.chosen = {log_prob.data(), n},
                                         .rejected = {log_prob.data() + n, n},
                                         .ref_chosen = {reference.data(), n},
                                         .ref_rejected = {reference.data() + n, n}},
                  {.d_chosen = {d.data(), n}, .d_rejected = {d.data() + n, n}}, options);
  sequence_gradients result{2 * n};
  for (std::size_t i = 0; i < 2 * n; ++i) result.value[i] = d[i];
  return result;
}

}  // namespace

TEMPLATE_TEST_CASE("float, double and 16-bit logits: log-probs and gradients, out of place, in place, added up", "",
                   float, double, prefopt::bfloat16, prefopt::float16) {
  using U = TestType;
  using T = typename sequences<U>::T;
  worst_share sums, gradients;
  for (std::size_t const vocabulary : {2U, 3U, 7U, 8U, 9U, 15U, 16U, 17U, 33U, 100U, 513U}) {
    sequences<U> const data{6, vocabulary, vocabulary};
    auto const reference = numbers<T>(6, 2);
    std::vector<T> log_prob(6), length(6);
    auto d_logits = untouched_like(data.memory);
    auto const seen = evaluate(chain_loss, data.policy(d_logits), policy_pairs<T>{.ref_log_prob = reference},
                               {.log_prob = log_prob, .length = length});
    check_sequences(data, log_prob, length, sums);
    prefopt::report columns;
    auto const d = by_columns(log_prob, reference, {}, columns);
    CHECK(same_bits(seen, columns));
    check_logit_gradients(data, d_logits, d, gradients);

    auto changed = data;
    auto policy = changed.policy(changed.memory);
    evaluate(chain_loss, policy, policy_pairs<T>{.ref_log_prob = reference});
    for (std::size_t row = 0; row < data.rows(); ++row) {
      for (std::size_t j = 0; j < data.stride; ++j) {
        std::size_t const at = row * data.stride + j;
        CHECK(same_number(changed.memory[at], j < vocabulary ? d_logits[at] : data.memory[at]));
      }
    }

    std::vector<U> before(data.memory.size(), stored<U>(0.625));
    auto added = before;
    evaluate(chain_loss, data.policy(added), policy_pairs<T>{.ref_log_prob = reference}, {},
             {.gradient = gradient_write::accumulate});
    check_logit_gradients(data, added, d, gradients, &before);
  }
  std::printf("%zu-byte logits: largest error of log-probs %.2Lf, of gradients %.2Lf of their bounds\n", sizeof(U),
              sums.share, gradients.share);
}

TEST_CASE("pairs are the two halves if no sequences are named") {
  sequences<double> const data{6, 5, 1};
  auto const reference = numbers<double>(6, 3);
  auto halves = untouched_like(data.memory), named = halves;
  std::vector<double> loss_of_halves(3), loss_of_named(3);
  auto const a = evaluate(chain_loss, data.policy(halves), {.ref_log_prob = reference}, {.loss = loss_of_halves});
  std::vector<int> const chosen{0, 1, 2}, rejected{3, 4, 5};
  auto const b = evaluate(chain_loss, data.policy(named),
                          {.chosen = chosen, .rejected = rejected, .ref_log_prob = reference}, {.loss = loss_of_named});
  CHECK(same_bits(a, b));
  CHECK(a.count == 3);
  CHECK(same_numbers(loss_of_halves, loss_of_named));
  CHECK(same_numbers(halves, named));
}

TEST_CASE("sequences that are named, and none of them, are no pairs") {
  sequences<float> const data{6, 9, 3};
  auto const reference = numbers<float>(6, 2);
  std::vector<int> const none;
  auto d_logits = untouched_like(data.memory);
  auto const seen = evaluate(chain_loss, data.policy(d_logits),
                             policy_pairs<float>{.chosen = none, .rejected = none, .ref_log_prob = reference});
  CHECK(seen.count == 0);
  CHECK(seen.loss == 0);
  for (std::size_t row = 0; row < data.rows(); ++row) {
    for (std::size_t j = 0; j < data.vocabulary; ++j) CHECK(d_logits[row * data.stride + j] == 0);
  }
}

TEST_CASE("a loss chosen at run time gives the bits of its type") {
  sequences<double> const data{6, 5, 1};
  auto const reference = numbers<double>(6, 3);
  auto one = untouched_like(data.memory), other = one;
  auto const a = evaluate(chain_loss, data.policy(one), {.ref_log_prob = reference});
  auto const b = evaluate(prefopt::any_pair_loss{chain_loss}, data.policy(other), {.ref_log_prob = reference});
  CHECK(same_bits(a, b));
  CHECK(same_numbers(one, other));
}

TEST_CASE("a reference policy stands for the column of its log-probs") {
  sequences<double> const data{6, 5, 1}, other{6, 9, 2};
  std::vector<double> reference(6);
  auto unused = untouched_like(other.memory);
  evaluate(prefopt::simpo{}, other.policy(), policy_pairs<double>{}, {.log_prob = reference});
  auto by_column = untouched_like(data.memory), by_policy = by_column;
  SECTION("of pairs") {
    auto const a = evaluate(chain_loss, data.policy(by_column), {.ref_log_prob = reference});
    auto const b = evaluate(chain_loss, data.policy(by_policy), other.policy(), policy_pairs<double>{});
    CHECK(same_bits(a, b));
  }
  SECTION("of groups") {
    std::vector<int> const offsets{0, 2, 6};
    auto const a = evaluate(plackett_luce{}, data.policy(by_column), {.offsets = offsets, .ref_log_prob = reference});
    auto const b =
        evaluate(plackett_luce{}, data.policy(by_policy), other.policy(), policy_groups<double>{.offsets = offsets});
    CHECK(same_bits(a, b));
  }
  CHECK(same_numbers(by_column, by_policy));
  CHECK(same_numbers(unused, untouched_like(other.memory)));
}

TEST_CASE("a reference policy that counts other tokens of the same sequences is refused") {
  sequences<double> const data{6, 5, 1};
  auto other = data;
  auto target = untouched_like(data.memory);
  auto const at = std::find_if(other.labels.begin(), other.labels.end(), [](auto label) { return label >= 0; });
  *at = -100;
  std::string const message =
      "prefopt::evaluate: labels or masks of the reference leave out other tokens than those of the policy";
  CHECK(refusal([&] { evaluate(chain_loss, data.policy(target), other.policy(), policy_pairs<double>{}); }) == message);
  std::vector<int> const offsets{0, 2, 6};
  CHECK(refusal([&] {
          evaluate(plackett_luce{}, data.policy(target), other.policy(), policy_groups<double>{.offsets = offsets});
        }) == message);
  CHECK(same_numbers(target, untouched_like(data.memory)));
}

TEST_CASE("reductions and the denominator reach the logits") {
  sequences<double> const data{6, 5, 1};
  auto const reference = numbers<double>(6, 3);
  prefopt::options sum{.reduction = reduction::sum}, none{.reduction = reduction::none}, denominator{.denominator = 7};
  worst_share worst;
  for (auto const& options : {prefopt::options{}, sum, none, denominator}) {
    auto d_logits = untouched_like(data.memory);
    std::vector<double> log_prob(6);
    auto const seen =
        evaluate(chain_loss, data.policy(d_logits), {.ref_log_prob = reference}, {.log_prob = log_prob}, options);
    prefopt::report columns;
    auto const d = by_columns(log_prob, reference, options, columns);
    CHECK(same_bits(seen, columns));
    check_logit_gradients(data, d_logits, d, worst);
  }
}

TEST_CASE("offsets and a number of tokens per sequence give the same bits") {
  sequences<double> data{12, 5, 1};
  std::size_t const sequence_count = data.rows() / 4 / 2 * 2;
  data.labels.resize(4 * sequence_count);
  data.memory.resize(4 * sequence_count * data.stride);
  data.offsets.clear();
  for (std::size_t i = 0; i <= sequence_count; ++i) data.offsets.push_back(static_cast<std::int64_t>(4 * i));
  auto packed = untouched_like(data.memory), dense = packed;
  std::vector<double> packed_sums(sequence_count), dense_sums(sequence_count);
  auto const reference = numbers<double>(sequence_count, 3);
  auto policy = data.policy(packed);
  auto const a = evaluate(chain_loss, policy, {.ref_log_prob = reference}, {.log_prob = packed_sums},
                          {.empty = on_invalid::propagate});
  policy.d_logits = data.target(dense);
  policy.tokens = {.labels = data.labels, .tokens_per_sequence = 4};
  auto const b = evaluate(chain_loss, policy, {.ref_log_prob = reference}, {.log_prob = dense_sums},
                          {.empty = on_invalid::propagate});
  CHECK(same_bits(a, b));
  CHECK(same_numbers(packed_sums, dense_sums));
  CHECK(same_numbers(packed, dense));
}

TEST_CASE("labels of another integer type, and another ignored label") {
  sequences<double> data{6, 5, 1};
  auto wide = untouched_like(data.memory), narrow = wide;
  auto const reference = numbers<double>(6, 3);
  auto policy = data.policy(wide);
  std::vector<std::int32_t> labels;
  for (auto const label : data.labels) labels.push_back(label == -100 ? 3 : label == 3 ? 4 : static_cast<int>(label));
  std::vector<std::int64_t> same;
  for (std::size_t i = 0; i < labels.size(); ++i) same.push_back(data.labels[i] == -100 ? -100 : labels[i]);
  std::vector<double> length(6), length_of_narrow(6);
  policy.tokens.labels = same;
  evaluate(chain_loss, policy, {.ref_log_prob = reference}, {.length = length});
  policy.tokens.labels = labels;
  policy.tokens.ignore_index = 3;
  policy.d_logits = data.target(narrow);
  evaluate(chain_loss, policy, {.ref_log_prob = reference}, {.length = length_of_narrow});
  CHECK(same_numbers(wide, narrow));
  CHECK(length == length_of_narrow);
}

TEST_CASE("the bits of the chain do not depend on the number of threads") {
  sequences<double> const data{40, 9001, 1};
  auto const reference = numbers<double>(40, 3);
  auto alone = untouched_like(data.memory);
  std::vector<double> sums(40);
  auto const serial = evaluate(chain_loss, data.policy(alone), {.ref_log_prob = reference}, {.log_prob = sums});
  for (std::size_t const threads : {1U, 2U, 3U, 7U}) {
    thread_pool const pool{threads};
    auto together = untouched_like(data.memory);
    std::vector<double> sums_together(40);
    auto const seen = evaluate(chain_loss, data.policy(together), {.ref_log_prob = reference},
                               {.log_prob = sums_together}, {.executor = pool});
    CHECK(same_bits(serial, seen));
    CHECK(same_numbers(sums, sums_together));
    CHECK(same_numbers(alone, together));
  }
}

TEST_CASE("without a gradient the loss is the same, and float weights do") {
  sequences<double> const data{6, 5, 1};
  auto const reference = numbers<double>(6, 3);
  std::vector<float> const weight{1, 2, 0.5F};
  auto d_logits = untouched_like(data.memory);
  auto const with = evaluate(chain_loss, data.policy(d_logits), {.ref_log_prob = reference, .weight = weight});
  auto const without = evaluate(chain_loss, data.policy(), {.ref_log_prob = reference, .weight = weight});
  CHECK(same_bits(with, without));
}

TEST_CASE("completions without a token: left out, or with score and gradient 0") {
  sequences<double> const data{6, 5, 4, {4}};
  auto const reference = numbers<double>(6, 3);
  for (auto const how : {on_invalid::skip, on_invalid::propagate}) {
    auto d_logits = untouched_like(data.memory);
    std::vector<double> values(3), log_prob(6), length(6);
    auto const seen = evaluate(chain_loss, data.policy(d_logits), {.ref_log_prob = reference},
                               {.loss = values, .log_prob = log_prob, .length = length}, {.empty = how});
    CHECK(seen.empty == 1);
    CHECK(seen.skipped == (how == on_invalid::skip ? 1 : 0));
    CHECK(length[4] == 0);
    CHECK(log_prob[4] == 0);
    worst_share worst;
    check_sequences(data, log_prob, length, worst);
    // Pair 1, of sequences 1 and 4, by its columns.
    auto const count = static_cast<double>(seen.count);
    double const score = log_prob[1] - reference[1] - (0 - reference[4]);
    double const slope = how == on_invalid::skip ? 0 : -0.5 / (1 + std::exp(0.5 * score)) / count;
    auto const right = [&](std::size_t pair, std::size_t chosen, std::size_t rejected) {
      if (pair == 1) return slope;
      double const u = log_prob[chosen] - reference[chosen] - (log_prob[rejected] - reference[rejected]);
      return -0.5 / (1 + std::exp(0.5 * u)) / count;
    };
    sequence_gradients d{6};
    for (std::size_t i = 0; i < 3; ++i) {
      d.value[i] = right(i, i, i + 3);
      d.value[i + 3] = -d.value[i];
      // u is off by 4 eps of its terms, whose sizes are below 40 each; exp, sum, quotients.
      for (std::size_t const at : {i, i + 3}) d.bound[at] = std::fabs(d.value[at]) * (4 * 160 + 8) * spacing<double>;
    }
    check_logit_gradients(data, d_logits, d, worst);
    if (how == on_invalid::skip) CHECK(values[1] == 0);
  }
}

TEST_CASE("candidates without a token are left out with their group where the loss reads lengths") {
  sequences<double> const data{6, 5, 4, {4}};
  std::vector<int> const offsets{0, 3, 6};
  auto d_logits = untouched_like(data.memory);
  auto const skipped = evaluate(plackett_luce{}, data.policy(d_logits), {.offsets = offsets, .per_token = true}, {},
                                {.empty = on_invalid::skip});
  CHECK(skipped.skipped == 1);
  CHECK(skipped.count == 1);
  for (auto row = static_cast<std::size_t>(data.offsets[3]); row < data.rows(); ++row) {
    for (std::size_t j = 0; j < 5; ++j) CHECK(d_logits[row * data.stride + j] == 0);
  }
  auto const kept =
      evaluate(plackett_luce{}, data.policy(), {.offsets = offsets}, {}, {.empty = on_invalid::propagate});
  CHECK(kept.count == 2);
}

TEST_CASE("a NaN among the logits stays in its own sequences' pair") {
  sequences<double> data{6, 5, 1};
  auto const reference = numbers<double>(6, 3);
  auto clean = untouched_like(data.memory);
  prefopt::options const sum{.reduction = reduction::sum};
  evaluate(chain_loss, data.policy(clean), {.ref_log_prob = reference}, {}, sum);
  // A counted row of sequence 1, the chosen one of pair 1.
  auto row = static_cast<std::size_t>(data.offsets[1]);
  while (data.labels[row] == -100) ++row;
  data.memory[row * data.stride] = std::numeric_limits<double>::quiet_NaN();
  auto const sequence_of = [&](std::size_t at) {
    return static_cast<std::size_t>(
        std::upper_bound(data.offsets.begin(), data.offsets.end(), static_cast<std::int64_t>(at)) -
        data.offsets.begin() - 1);
  };
  for (auto const how : {on_invalid::propagate, on_invalid::skip}) {
    auto d_logits = untouched_like(data.memory);
    std::vector<double> log_prob(6);
    auto options = sum;
    options.non_finite = how;
    auto const seen =
        evaluate(chain_loss, data.policy(d_logits), {.ref_log_prob = reference}, {.log_prob = log_prob}, options);
    CHECK(seen.non_finite == 1);
    for (std::size_t i = 0; i < 6; ++i) CHECK(std::isnan(log_prob[i]) == (i == 1));
    for (std::size_t at = 0; at < data.rows(); ++at) {
      auto const sequence = sequence_of(at);
      for (std::size_t j = 0; j < 5; ++j) {
        double const got = d_logits[at * data.stride + j];
        if (data.labels[at] == -100) {
          CHECK(got == 0);
        } else if (sequence % 3 != 1) {
          CHECK(same_number(got, clean[at * data.stride + j]));
        } else if (how == on_invalid::skip) {
          CHECK(got == 0);
        } else {
          CHECK(std::isnan(got));
        }
      }
    }
  }
}

TEST_CASE("gradients by logits agree with differences of the loss") {
  sequences<double> data{6, 5, 9};
  auto const reference = numbers<double>(6, 3);
  std::vector<int> const offsets{0, 2, 6}, chosen{0, 0, 2, 5}, rejected{1, 3, 0, 5};
  auto const check = [&](auto const& value) {
    auto d_logits = untouched_like(data.memory);
    value(data.policy(d_logits));
    // Central differences are off by h^2 / 6 of the third derivative and by the loss's rounding over h. The loss is a
    // sum of logistic functions of at most 4 log-probs with slopes of at most 1, whose derivatives by one logit are at
    // most 1 (first), 1/4 (second, third): together below 8. The loss, below 64, has less than 64 roundings.
    double const h = 0x1p-14, bound = h * h / 6 * 8 + 64 * 64 * 0x1p-53 / h;
    for (std::size_t row = 0; row < data.rows(); ++row) {
      if (data.labels[row] == -100) continue;
      for (std::size_t j = 0; j < 5; ++j) {
        double& x = data.memory[row * data.stride + j];
        double const at = x;
        x = at + h;
        double const above = value(data.policy());
        x = at - h;
        double const below = value(data.policy());
        x = at;
        INFO("row " << row << " logit " << j);
        CHECK(std::fabs(((above - below) / (2 * h)) - d_logits[row * data.stride + j]) <= bound);
      }
    }
  };
  check([&](auto const& policy) {
    return evaluate(chain_loss, policy, {.chosen = chosen, .rejected = rejected, .ref_log_prob = reference}).loss;
  });
  check([&](auto const& policy) {
    return evaluate(plackett_luce{.beta = 0.5}, policy, {.offsets = offsets, .ref_log_prob = reference}).loss;
  });
  check([&](auto const& policy) { return evaluate(prefopt::simpo{.beta = 1}, policy, policy_pairs<double>{}).loss; });
}
