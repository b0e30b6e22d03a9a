// Weights of tokens: of tokens by themselves and through policies, and those that LD-DPO gives them.
#include <prefopt/logprob/token_weights.hpp>

#include <array>
#include <catch.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <prefopt/prefopt.hpp>
#include <random>
#include <refusal.hpp>
#include <string>
#include <vector>

using namespace prefopt;

namespace {

constexpr std::size_t weighted_width = 270;

/// Completions as rows, with a prompt and padding that hold NaN, and a weight a token.
template <class T>
struct weighted_rows {
  std::size_t rows;
  std::vector<T> log_prob, mask, weight;

  weighted_rows(std::vector<std::size_t> const& lengths, unsigned seed)
      : rows{lengths.size()},
        log_prob(rows * weighted_width, std::numeric_limits<T>::quiet_NaN()),
        mask(rows * weighted_width, T(0)),
        weight(rows * weighted_width, std::numeric_limits<T>::quiet_NaN()) {
    std::mt19937 engine{seed};
    std::uniform_real_distribution<double> uniform{0, 2};
    for (std::size_t i = 0; i < rows; ++i) {
      std::size_t const before = (weighted_width - lengths[i]) / 2;
      for (std::size_t k = before; k < before + lengths[i]; ++k) {
        log_prob[i * weighted_width + k] = static_cast<T>(-uniform(engine));
        mask[i * weighted_width + k] = T(1);
        weight[i * weighted_width + k] = k % 5 == 0 ? T(0) : static_cast<T>(uniform(engine));
      }
    }
  }

  [[nodiscard]] dense_tokens<T> tokens(bool weighs) const {
    dense_tokens<T> all{.log_prob = {log_prob.data(), rows, weighted_width},
                        .mask = {mask.data(), rows, weighted_width}};
    if (weighs) all.weight = {weight.data(), rows, weighted_width};
    return all;
  }

  [[nodiscard]] long double sum(std::size_t row) const {
    long double total = 0;
    for (std::size_t k = row * weighted_width; k < (row + 1) * weighted_width; ++k) {
      if (mask[k] != 0 && weight[k] != 0) total += static_cast<long double>(weight[k]) * log_prob[k];
    }
    return total;
  }
};

template <class T>
struct weighted_sums {
  std::vector<T> log_prob, length;
};

template <class Tokens, class T = typename Tokens::value_type>
weighted_sums<T> weighted_sums_of(Tokens const& tokens) {
  weighted_sums<T> got{std::vector<T>(tokens.sequences()), std::vector<T>(tokens.sequences())};
  sequence_log_probs(tokens, {.log_prob = got.log_prob, .length = got.length});
  return got;
}

/// The completions one behind the other.
template <class T>
struct packed_rows {
  std::vector<T> log_prob, weight;
  std::vector<std::int64_t> offsets{0};

  explicit packed_rows(weighted_rows<T> const& from) {
    for (std::size_t i = 0; i < from.rows; ++i) {
      for (std::size_t k = i * weighted_width; k < (i + 1) * weighted_width; ++k) {
        if (from.mask[k] == 0) continue;
        log_prob.push_back(from.log_prob[k]);
        weight.push_back(from.weight[k]);
      }
      offsets.push_back(static_cast<std::int64_t>(log_prob.size()));
    }
  }
  [[nodiscard]] packed_tokens<T> tokens() const { return {.log_prob = log_prob, .offsets = offsets, .weight = weight}; }
};

}  // namespace

TEMPLATE_TEST_CASE("tokens add up with their weights, which do not count in the length", "", float, double) {
  using T = TestType;
  weighted_rows<T> data{{0, 1, 40, 270, 256, 3}, 1};
  // A weight of 0 leaves nothing of what it is the weight of.
  data.log_prob[3 * weighted_width] = -std::numeric_limits<T>::infinity();
  data.weight[3 * weighted_width] = 0;
  auto const got = weighted_sums_of(data.tokens(true));
  for (std::size_t i = 0; i < data.rows; ++i) {
    CHECK(std::fabs(got.log_prob[i] - data.sum(i)) <= std::numeric_limits<T>::epsilon() * (1 + std::fabs(data.sum(i))));
  }
  CHECK(got.length == std::vector<T>{0, 1, 40, 270, 256, 3});
  packed_rows<T> const packed{data};
  auto const other = weighted_sums_of(packed.tokens());
  CHECK(other.log_prob == got.log_prob);
  CHECK(other.length == got.length);
  // Weights of 1 are none, bit for bit.
  data.log_prob[3 * weighted_width] = T(-0.5);
  auto const plain = weighted_sums_of(data.tokens(false));
  data.weight.assign(data.weight.size(), T(1));
  CHECK(weighted_sums_of(data.tokens(true)).log_prob == plain.log_prob);
}

TEMPLATE_TEST_CASE("a token's gradient is its sequence's times its weight", "", float, double) {
  using T = TestType;
  weighted_rows<T> const data{{0, 2, 40, 270}, 2};
  std::vector<T> const d_sequence{3, T(-0.5), 2, T(0.75)};
  std::vector<T> d(data.log_prob.size(), T(9)), added(data.log_prob.size(), T(0.25));
  token_gradients(data.tokens(true), d_sequence, {d.data(), data.rows, weighted_width});
  token_gradients(data.tokens(true), d_sequence, {added.data(), data.rows, weighted_width}, gradient_write::accumulate);
  bool right = true;
  for (std::size_t i = 0; i < data.rows; ++i) {
    for (std::size_t k = i * weighted_width; k < (i + 1) * weighted_width; ++k) {
      T const expected = data.mask[k] == 0 ? T(0) : d_sequence[i] * data.weight[k];
      right = right && d[k] == expected;
      right =
          right && (data.mask[k] == 0 ? added[k] == T(0.25) : std::fabs(added[k] - (T(0.25) + expected)) <= T(1e-6));
    }
  }
  CHECK(right);
  packed_rows<T> const packed{data};
  std::vector<T> d_packed(packed.log_prob.size());
  token_gradients(packed.tokens(), d_sequence, d_packed);
  std::vector<T> expected;
  for (std::size_t k = 0; k < d.size(); ++k) {
    if (data.mask[k] != 0) expected.push_back(d[k]);
  }
  CHECK(d_packed == expected);
}

TEMPLATE_TEST_CASE("a loss of pairs over weighted tokens is the loss of their weighted sums, and so is its gradient",
                   "", float, double) {
  using T = TestType;
  weighted_rows<T> const chosen{{5, 40, 270, 1}, 3}, rejected{{7, 12, 256, 2}, 4};
  auto const a = weighted_sums_of(chosen.tokens(true)), b = weighted_sums_of(rejected.tokens(true));
  std::vector<T> const ref_chosen{-4, -30, -260, -1}, ref_rejected{-7, -10, -250, T(-1.5)};
  pair_batch<T> const compared{.chosen = a.log_prob,
                               .rejected = b.log_prob,
                               .ref_chosen = ref_chosen,
                               .ref_rejected = ref_rejected,
                               .chosen_length = a.length,
                               .rejected_length = b.length};
  std::vector<T> d_a(4), d_b(4), loss(4), of_tokens(4);
  evaluate(ln_dpo{.beta = 0.5}, compared, {.loss = loss, .d_chosen = d_a, .d_rejected = d_b});
  std::vector<T> d_chosen(chosen.log_prob.size()), d_rejected = d_chosen, expected = d_chosen;
  evaluate(ln_dpo{.beta = 0.5},
           token_pair_batch<dense_tokens<T>>{.chosen = chosen.tokens(true),
                                             .rejected = rejected.tokens(true),
                                             .ref_chosen = ref_chosen,
                                             .ref_rejected = ref_rejected},
           {.loss = of_tokens,
            .d_chosen = {d_chosen.data(), 4, weighted_width},
            .d_rejected = {d_rejected.data(), 4, weighted_width}});
  CHECK(of_tokens == loss);
  auto const check = [&](weighted_rows<T> const& data, std::vector<T> const& d, std::vector<T> const& got) {
    token_gradients(data.tokens(true), d, {expected.data(), 4, weighted_width});
    for (std::size_t k = 0; k < got.size(); ++k) {
      if (!(std::fabs(got[k] - expected[k]) <= 2 * std::numeric_limits<T>::epsilon() * std::fabs(expected[k]))) {
        FAIL("token " << k << ": " << got[k] << ", expected " << expected[k]);
      }
    }
  };
  check(chosen, d_a, d_chosen);
  check(rejected, d_b, d_rejected);
}

TEST_CASE("weights of a policy's rows reach its logits") {
  constexpr std::size_t rows = 7, vocabulary = 11;
  std::vector<std::int64_t> const labels{3, 1, -100, 5, 0, 10, 2}, offsets{0, 4, 7};
  std::vector<double> weight{0.5, 1, std::numeric_limits<double>::quiet_NaN(), 0, 2, 1, 0.25}, zero(2, 0.0);
  std::vector<double> logits(rows * vocabulary);
  std::mt19937 engine{5};
  for (double& x : logits) x = std::uniform_real_distribution<double>{-2, 2}(engine);
  token_rows tokens{.labels = labels, .offsets = offsets, .weight = weight};
  auto const run = [&](std::vector<double> const& at, row_major<double> const& d, std::vector<double>& log_prob) {
    return evaluate(dpo{},
                    logit_policy<double>{.logits = {at.data(), rows, vocabulary}, .tokens = tokens, .d_logits = d},
                    {.ref_log_prob = zero}, {.log_prob = log_prob})
        .loss;
  };
  std::vector<double> log_prob(2), d(logits.size());
  run(logits, {d.data(), rows, vocabulary}, log_prob);
  long double expected[2]{};
  for (std::size_t row = 0; row < rows; ++row) {
    if (labels[row] < 0 || weight[row] == 0) continue;
    long double total = 0;
    for (std::size_t j = 0; j < vocabulary; ++j)
      total += std::exp(static_cast<long double>(logits[row * vocabulary + j]));
    long double const label = logits[row * vocabulary + static_cast<std::size_t>(labels[row])];
    expected[row < 4 ? 0 : 1] += weight[row] * (label - std::log(total));
  }
  CHECK(std::fabs(log_prob[0] - expected[0]) < 1e-14L);
  CHECK(std::fabs(log_prob[1] - expected[1]) < 1e-14L);
  for (std::size_t k = 0; k < logits.size(); ++k) {
    auto up = logits, down = logits;
    up[k] += 1e-5;
    down[k] -= 1e-5;
    double const slope = (run(up, {}, log_prob) - run(down, {}, log_prob)) / 2e-5;
    CHECK(std::fabs(d[k] - slope) < 1e-9);
  }
  weight.pop_back();
  tokens.weight = weight;
  CHECK(refusal([&] { run(logits, {}, log_prob); }) == "prefopt::evaluate: weight has 6 elements, labels has 7");
}

TEMPLATE_TEST_CASE("what is longer than the other completion counts less", "", float, double) {
  using T = TestType;
  weighted_rows<T> chosen{{6, 2, 0, 270}, 6}, rejected{{4, 5, 3, 270}, 7};
  // A hole in the completion does not count as a token.
  std::size_t const hole = (weighted_width - 6) / 2 + 1;
  chosen.mask[hole] = 0;
  chosen.log_prob[hole] = std::numeric_limits<T>::quiet_NaN();
  auto const plain_chosen = weighted_sums_of(chosen.tokens(false)).log_prob,
             plain_rejected = weighted_sums_of(rejected.tokens(false)).log_prob;
  for (double const alpha : {0.0, 0.5, 1.0}) {
    CAPTURE(alpha);
    length_desensitized_weights(chosen.tokens(false), rejected.tokens(false), alpha,
                                {chosen.weight.data(), 4, weighted_width}, {rejected.weight.data(), 4, weighted_width});
    auto const a = weighted_sums_of(chosen.tokens(true)).log_prob, b = weighted_sums_of(rejected.tokens(true)).log_prob;
    auto const expected = [&](weighted_rows<T> const& data, std::size_t row, std::size_t whole) {
      long double sum = 0;
      std::size_t number = 0;
      for (std::size_t k = row * weighted_width; k < (row + 1) * weighted_width; ++k) {
        if (data.mask[k] != 0) sum += (number++ < whole ? 1 : static_cast<long double>(alpha)) * data.log_prob[k];
      }
      return sum;
    };
    std::array<std::size_t, 4> const whole{4, 2, 0, 270};
    for (std::size_t i = 0; i < 4; ++i) {
      double const unit = std::numeric_limits<T>::epsilon();
      CHECK(std::fabs(a[i] - expected(chosen, i, whole[i])) <= unit * (1 + std::fabs(a[i])));
      CHECK(std::fabs(b[i] - expected(rejected, i, whole[i])) <= unit * (1 + std::fabs(b[i])));
    }
    CHECK(chosen.weight[hole] == 0);
    if (alpha != 1) continue;
    CHECK(a == plain_chosen);
    CHECK(b == plain_rejected);
  }
}

TEST_CASE("weights of packed completions, and of a policy's rows by halves") {
  std::vector<double> const log_prob(9, -1.0);
  std::vector<std::int64_t> const first{0, 3, 5}, second{1, 2, 6}, offsets{0, 3, 5, 6, 10};
  std::vector<double> a(9, 7.0), b(9, 7.0), both(10, 7.0);
  packed_tokens<double> const chosen{.log_prob = log_prob, .offsets = first},
      rejected{.log_prob = log_prob, .offsets = second};
  length_desensitized_weights(chosen, rejected, 0.25, a, b);
  CHECK(a == std::vector<double>{1, 0.25, 0.25, 1, 1, 7, 7, 7, 7});
  CHECK(b == std::vector<double>{7, 1, 1, 1, 0.25, 0.25, 7, 7, 7});
  std::vector<std::int64_t> const labels{4, 5, 6, 7, 8, 9, 1, 2, -100, 3};
  length_desensitized_weights(token_rows{.labels = labels, .offsets = offsets}, 0.25, both);
  CHECK(both == std::vector<double>{1, 0.25, 0.25, 1, 1, 1, 1, 1, 0, 0.25});

  std::vector<double> const before = a;
  CHECK(refusal([&] { length_desensitized_weights(chosen, rejected, 1.5, a, b); }) ==
        "prefopt::length_desensitized_weights: alpha is 1.5, expected a number in [0, 1]");
  CHECK(refusal([&] {
          length_desensitized_weights(chosen, rejected, 0, a, output<double>{b.data(), 8});
        }) == "prefopt::length_desensitized_weights: the gradient has 8 elements, log_prob has 9");
  // Each has the shape of its own tokens.
  packed_tokens<double> const shorter{.log_prob = {log_prob.data(), 7}, .offsets = second};
  CHECK(refusal([&] { length_desensitized_weights(chosen, shorter, 0, a, b); }) ==
        "prefopt::length_desensitized_weights: the gradient has 9 elements, log_prob has 7");
  std::vector<double> other(9), own(7);
  length_desensitized_weights(chosen, shorter, 0.25, other, own);
  CHECK(own == std::vector<double>{0, 1, 1, 1, 0.25, 0.25, 0});
  std::vector<std::int64_t> const one{0, 2}, odd{0, 3, 5, 10};
  CHECK(refusal([&] {
          length_desensitized_weights(chosen, packed_tokens<double>{.log_prob = log_prob, .offsets = one}, 0, a, b);
        }) == "prefopt::length_desensitized_weights: rejected has 1 sequences, chosen has 2");
  CHECK(refusal([&] { length_desensitized_weights(token_rows{.labels = labels, .offsets = odd}, 0, both); }) ==
        "prefopt::length_desensitized_weights: there are 3 sequences, expected pairs: an even number");
  CHECK(a == before);
}

TEST_CASE("weights of another shape are refused") {
  std::vector<double> const numbers(12, 1.0);
  std::vector<std::int64_t> const offsets{0, 12};
  std::vector<double> sum(3), one(1);
  dense_tokens<double> const dense{.log_prob = {numbers.data(), 3, 4}, .weight = {numbers.data(), 4, 3}};
  CHECK(refusal([&] { sequence_log_probs(dense, {.log_prob = sum}); }) ==
        "prefopt::sequence_log_probs: weight is 4 x 3, log_prob is 3 x 4");
  packed_tokens<double> const packed{.log_prob = numbers, .offsets = offsets, .weight = {numbers.data(), 11}};
  CHECK(refusal([&] { sequence_log_probs(packed, {.log_prob = one}); }) ==
        "prefopt::sequence_log_probs: weight has 11 elements, log_prob has 12");
}
