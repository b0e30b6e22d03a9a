#pragma once

#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <prefopt/simd/half.hpp>
#include <random>
#include <string>
#include <vector>

/// The log-prob of a label from the logits as they are stored, in long double.
template <class U>
long double exact_log_prob(U const* row, std::size_t vocabulary, std::size_t label) {
  auto const logit = [&](std::size_t i) { return static_cast<long double>(prefopt::detail::load_number(row + i)); };
  long double sum_of_others = 0;
  for (std::size_t i = 0; i < vocabulary; ++i) {
    if (i != label) sum_of_others += std::exp(logit(i) - logit(label));
  }
  return -std::log1p(sum_of_others);
}

/// In units of the last place of float, whatever type the result comes in: so types compare.
inline double error_in_last_places(float result, long double exact) {
  int const exponent = std::max(std::ilogb(exact), std::numeric_limits<float>::min_exponent - 1);
  long double const last_place = std::ldexp(1.0L, exponent - (std::numeric_limits<float>::digits - 1));
  return static_cast<double>(std::abs(static_cast<long double>(result) - exact) / last_place);
}

/// Counters of the largest error of a log-prob: log_prob_ulp over all rows, and over those N(0, 1), N(0, 10), with one
/// logit 20 above the rest (the label's in every other row), and constant. `log_probs(logits, labels, results)`
/// computes them, perhaps over the logits.
template <class U, class LogProbs>
void count_log_prob_error(benchmark::State& state, std::size_t vocabulary, LogProbs const& log_probs) {
  constexpr std::array kinds{"normal_1", "normal_10", "one_hot", "constant"};
  constexpr std::size_t rows_of_kind = 4, rows = kinds.size() * rows_of_kind;
  std::mt19937 random{11};
  std::normal_distribution<float> spread;
  std::vector<U> logits(rows * vocabulary);
  std::vector<std::int64_t> labels(rows);
  std::vector<long double> exact(rows);
  for (std::size_t row = 0; row < rows; ++row) {
    std::size_t const label = random() % vocabulary, far = row % 2 == 0 ? label : (label + 1) % vocabulary;
    U* const first = logits.data() + row * vocabulary;
    for (std::size_t i = 0; i < vocabulary; ++i) {
      float const normal = spread(random);
      std::array<float, kinds.size()> const values{normal, 10 * normal, i == far ? 20.0F : 0.0F, 1.5F};
      first[i] = U(values[row / rows_of_kind]);
    }
    labels[row] = static_cast<std::int64_t>(label);
    exact[row] = exact_log_prob(first, vocabulary, label);
  }
  std::vector<float> results(rows);
  log_probs(logits, labels, results);
  double largest_of_all = 0;
  for (std::size_t kind = 0; kind < kinds.size(); ++kind) {
    double largest = 0;
    for (std::size_t row = kind * rows_of_kind; row < (kind + 1) * rows_of_kind; ++row) {
      double const error = error_in_last_places(results[row], exact[row]);
      if (!(error <= largest)) largest = error;  // NaN, too
    }
    state.counters["log_prob_ulp_" + std::string{kinds[kind]}] = largest;
    if (!(largest <= largest_of_all)) largest_of_all = largest;
  }
  state.counters["log_prob_ulp"] = largest_of_all;
}
