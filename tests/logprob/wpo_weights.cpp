// WPO's weights of pairs, from logits.
#include <prefopt/logprob/wpo_weights.hpp>

#include <catch.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <prefopt/prefopt.hpp>
#include <random>
#include <refusal.hpp>
#include <vector>

using namespace prefopt;

TEMPLATE_TEST_CASE("weights of completions and of pairs from logits are WPO's formula", "", float, double) {
  using T = TestType;
  constexpr std::size_t rows = 9, vocabulary = 50;
  std::vector<T> logits(rows * vocabulary);
  std::mt19937 engine{4};
  for (T& x : logits) x = static_cast<T>(std::normal_distribution<double>{0, 3}(engine));
  // The second of the four completions has a row that does not count, the third none at all.
  std::vector<std::int64_t> const labels{3, 49, 0, 7, -100, 20, 11, 5, 8}, offsets{0, 3, 6, 6, 9};
  std::vector<T> log_prob(rows), square_sum(rows), mask(rows);
  token_logprobs(row_major<T const>{logits.data(), rows, vocabulary}, labels,
                 {.log_prob = log_prob, .square_sum = square_sum});
  for (std::size_t i = 0; i < rows; ++i) mask[i] = labels[i] < 0 ? T(0) : T(1);
  packed_tokens<T> const tokens{.log_prob = log_prob, .offsets = offsets, .mask = mask};
  std::vector<T> m(4), unaligned(4), weight(2);
  wpo_log_weights(tokens, square_sum, m);
  wpo_log_weights(tokens, {}, unaligned);
  std::vector<long double> expected(4), plain(4);
  for (std::size_t i = 0; i < 4; ++i) {
    long double count = 0;
    for (auto row = static_cast<std::size_t>(offsets[i]); row < static_cast<std::size_t>(offsets[i + 1]); ++row) {
      if (labels[row] < 0) continue;
      long double sum = 0, squares = 0;
      for (std::size_t j = 0; j < vocabulary; ++j)
        sum += std::exp(static_cast<long double>(logits[row * vocabulary + j]));
      for (std::size_t j = 0; j < vocabulary; ++j) {
        long double const p = std::exp(static_cast<long double>(logits[row * vocabulary + j])) / sum;
        squares += p * p;
      }
      long double const l = logits[row * vocabulary + static_cast<std::size_t>(labels[row])] - std::log(sum);
      expected[i] += l - std::log(squares);
      plain[i] += l;
      count += 1;
    }
    if (count != 0) expected[i] /= count;
    if (count != 0) plain[i] /= count;
    CHECK(std::fabs(m[i] - expected[i]) < (sizeof(T) == 4 ? 1e-5L : 1e-13L));
    CHECK(std::fabs(unaligned[i] - plain[i]) < (sizeof(T) == 4 ? 1e-5L : 1e-13L));
  }
  column<T> const all{m};
  wpo_weights(column<T>{m.data(), 2}, {m.data() + 2, 2}, weight);
  for (std::size_t i = 0; i < 2; ++i) {
    CHECK(std::fabs(weight[i] / std::exp(expected[i] + expected[i + 2]) - 1) < (sizeof(T) == 4 ? 1e-5L : 1e-13L));
  }
  // A dense layout of the same tokens.
  std::vector<T> const dense_log_prob{-1, -2, T(0.5), -4}, dense_squares{T(0.5), 1, T(0.25), T(0.125)};
  std::vector<T> const dense_mask{1, 1, 0, 1};
  std::vector<T> two(2);
  wpo_log_weights(dense_tokens<T>{.log_prob = {dense_log_prob.data(), 2, 2}, .mask = {dense_mask.data(), 2, 2}},
                  {dense_squares.data(), 2, 2}, two);
  CHECK(std::fabs(two[0] - static_cast<T>((-3 + std::log(2.0)) / 2)) < 1e-6);
  CHECK(std::fabs(two[1] - static_cast<T>(-4 + std::log(8.0))) < 1e-6);
}

TEST_CASE("weights have a bound where one is given, and one of a completion that cannot be is 0") {
  double const inf = std::numeric_limits<double>::infinity();
  std::vector<double> const a{0.5, -1, -inf, std::nan("")}, b{0.25, 0.5, 1, 0};
  std::vector<double> weight(4);
  wpo_weights(column<double>{a}, b, weight);
  CHECK(std::fabs(weight[0] - std::exp(0.75)) < 1e-15);
  CHECK(std::fabs(weight[1] - std::exp(-0.5)) < 1e-15);
  CHECK(weight[2] == 0);
  CHECK(weight[3] != weight[3]);
  wpo_weights(column<double>{a}, b, weight, 1);
  CHECK(weight[0] == 1);
  CHECK(std::fabs(weight[1] - std::exp(-0.5)) < 1e-15);
  CHECK(weight[3] != weight[3]);
}

TEST_CASE("WPO's weights refuse what does not fit") {
  std::vector<double> const numbers(6, 0.5);
  std::vector<std::int64_t> const offsets{0, 2, 6};
  std::vector<double> to(2, 5.0);
  packed_tokens<double> const tokens{.log_prob = numbers, .offsets = offsets};
  CHECK(refusal([&] {
          wpo_log_weights(tokens, {numbers.data(), 5}, to);
        }) == "prefopt::wpo_log_weights: square_sum has 5 elements, log_prob has 6");
  CHECK(refusal([&] {
          wpo_log_weights(tokens, numbers, {to.data(), 1});
        }) == "prefopt::wpo_log_weights: log_weight has 1 elements, there are 2 sequences");
  CHECK(refusal([&] {
          wpo_weights(column<double>{numbers}, {numbers.data(), 5}, to);
        }) == "prefopt::wpo_weights: rejected has 5 elements, chosen has 6");
  CHECK(refusal([&] { wpo_weights(column<double>{numbers}, numbers, to); }) ==
        "prefopt::wpo_weights: weight has 2 elements, chosen has 6");
  CHECK(refusal([&] { wpo_weights(column<double>{to}, to, to, 0); }) ==
        "prefopt::wpo_weights: highest is 0, expected a number > 0");
  CHECK(to == std::vector<double>(2, 5.0));
}
