#include <algorithm>
#include <catch.hpp>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <prefopt/train/annotator_reliability.hpp>
#include <span>
#include <vector>

#include "oracle/bits.hpp"
#include "oracle/front.hpp"

// Theorem 4.1 of arXiv:2509.24159: with a calibrated model the EM iteration finds each annotator's true reliability.

namespace {

/// Pairs of a calibrated model: the first completion is better with probability sigma(gap), and the annotator presents
/// it as chosen if it is and he is right, or neither. Gaps are normal with deviation 2, as in the paper's range.
struct annotated_pairs {
  std::vector<double> chosen, zeros;
  std::vector<std::size_t> annotator;

  annotated_pairs(std::size_t count, std::vector<double> const& reliability, std::uint64_t seed) {
    oracle::random_numbers random{seed};
    for (std::size_t i = 0; i < count; ++i) {
      std::size_t const who = i % reliability.size();
      double const gap = 2 * random.normal();
      bool const first_is_better = random.chance(1 / (1 + std::exp(-gap)));
      bool const presented_first = random.chance(reliability[who]) == first_is_better;
      chosen.push_back(presented_first ? gap : -gap);
      annotator.push_back(who);
    }
    zeros.assign(count, 0);
  }

  [[nodiscard]] std::size_t size() const { return chosen.size(); }

  /// The gap as the margin of dpo with beta = 1.
  [[nodiscard]] prefopt::pair_batch<double> batch(std::size_t begin, std::size_t count,
                                                  std::vector<double> const& reliability) const {
    auto const part = [&](std::vector<double> const& column) { return std::span{column}.subspan(begin, count); };
    return {.chosen = part(chosen),
            .rejected = part(zeros),
            .ref_chosen = part(zeros),
            .ref_rejected = part(zeros),
            .reliability = std::span{reliability}.first(count)};
  }
};

std::size_t const many = 200000;

/// One E-step and M-step over pairs [begin, begin + count).
void step(prefopt::annotator_reliability& state, annotated_pairs const& pairs, std::size_t begin, std::size_t count) {
  static std::vector<double> reliability(many), posterior(many);
  auto const annotators = std::span{pairs.annotator}.subspan(begin, count);
  state.fill(annotators, std::span{reliability}.first(count));
  static auto const recovering = front::make_pair_loss("lcpo", {{"beta", 1}}, "dpo");
  front::evaluate(recovering, pairs.batch(begin, count, reliability), {.posterior = std::span{posterior}.first(count)});
  state.accumulate(annotators, std::span{posterior}.first(count));
  state.update();
}

/// -log of the probability of the observed labels, per pair.
double negative_log_likelihood(annotated_pairs const& pairs, double eta) {
  double sum = 0;
  for (double const gap : pairs.chosen) {
    double const p = 1 / (1 + std::exp(-gap));
    sum -= std::log(eta * p + (1 - eta) * (1 - p));
  }
  return sum / static_cast<double>(pairs.size());
}

}  // namespace

TEST_CASE("full-batch lcpo finds the true reliability from any start") {
  for (double const truth : {0.6, 0.8, 0.95}) {
    annotated_pairs const pairs{many, {truth}, 30};
    for (double const start : {0.55, 0.7, 0.9, 0.99}) {
      prefopt::annotator_reliability state{1, start, 1};
      int steps = 0;
      for (double before = 0; std::fabs(state.values()[0] - before) > 1e-6 && steps < 200; ++steps) {
        before = state.values()[0];
        step(state, pairs, 0, many);
      }
      CAPTURE(truth, start, steps, state.values()[0]);
      CHECK(std::fabs(state.values()[0] - truth) <= 0.006);
      CHECK(steps < 200);
    }
  }
}

TEST_CASE("a step of lcpo never makes the observed labels less likely") {
  annotated_pairs const pairs{20000, {0.8}, 31};
  for (double const start : {0.5, 0.99}) {
    prefopt::annotator_reliability state{1, start, 1};
    double before = negative_log_likelihood(pairs, start);
    for (int i = 0; i < 20; ++i) {
      step(state, pairs, 0, pairs.size());
      double const after = negative_log_likelihood(pairs, state.values()[0]);
      CHECK(after <= before + 1e-14);
      before = after;
    }
  }
}

TEST_CASE("lcpo with a moving average hovers around the true reliability") {
  std::size_t const size = 128;
  for (double const truth : {0.6, 0.8, 0.95}) {
    annotated_pairs const pairs{many, {truth}, 32};
    prefopt::annotator_reliability state{1, 0.9, 0.1};
    std::vector<double> seen;
    for (std::size_t begin = 0; begin + size <= many; begin += size) {
      step(state, pairs, begin, size);
      if (begin >= many / 5) seen.push_back(state.values()[0]);
    }
    double const mean = std::accumulate(seen.begin(), seen.end(), 0.0) / static_cast<double>(seen.size());
    double spread = 0;
    for (double const eta : seen) spread += (eta - mean) * (eta - mean) / static_cast<double>(seen.size());
    CAPTURE(truth, mean, std::sqrt(spread));
    CHECK(std::fabs(mean - truth) <= 0.006);
    CHECK(std::sqrt(spread) <= 0.015);
  }
}

TEST_CASE("lcpo tells annotators apart, and leaves one alone who is not in the batch") {
  std::vector<double> const truth{0.95, 0.6, 0.8};
  annotated_pairs const pairs{many, truth, 33};
  // A fourth annotator labels nothing.
  prefopt::annotator_reliability state{4, 0.7, 1};
  for (int i = 0; i < 100; ++i) step(state, pairs, 0, many);
  for (std::size_t k = 0; k < 3; ++k) {
    CAPTURE(k, state.values()[k]);
    // A third of the pairs each: the standard error is larger by the root of 3.
    CHECK(std::fabs(state.values()[k] - truth[k]) <= 0.0104);
  }
  CHECK(state.values()[3] == 0.7);
}
