#include "reliability_recovery.hpp"

#include <cmath>
#include <cstdint>
#include <prefopt/prefopt.hpp>
#include <random>
#include <span>
#include <vector>

#include "mean_interval.hpp"
#include "parallel_for.hpp"
#include "random_generator.hpp"
#include "text_table.hpp"

namespace {

constexpr double truths[] = {0.95, 0.9, 0.8, 0.7, 0.6, 0.4};
constexpr double starts[] = {0.9, 0.55};
constexpr double deviation_of_margins = 2;
constexpr int most_steps = 1000;

/// Margins in favor of the completion that the annotator called better. Without the annotator's errors the logistic
/// function of the margin is the probability that this one is better.
std::vector<double> draw_margins(double truth, std::size_t pairs, std::mt19937_64& random) {
  std::normal_distribution<double> normal{0, deviation_of_margins};
  std::uniform_real_distribution<double> uniform;
  std::vector<double> margins(pairs);
  for (double& margin : margins) {
    margin = normal(random);
    bool const first_is_better = uniform(random) < 1 / (1 + std::exp(-margin));
    bool const is_right = uniform(random) < truth;
    if (first_is_better != is_right) margin = -margin;
  }
  return margins;
}

/// One E-step on these pairs, all by one annotator, and the update of the reliability.
class em_step {
 public:
  explicit em_step(std::size_t pairs) : ids_(pairs, 0), zeros_(pairs, 0.0), reliability_(pairs), posterior_(pairs) {}

  void operator()(std::span<double const> margins, prefopt::annotator_reliability& annotator) {
    annotator.fill(ids_, reliability_);
    prefopt::evaluate(prefopt::lcpo<prefopt::dpo>{.base = {.beta = 1}},
                      prefopt::pair_batch<double>{.chosen = margins,
                                                  .rejected = zeros_,
                                                  .ref_chosen = zeros_,
                                                  .ref_rejected = zeros_,
                                                  .reliability = reliability_},
                      {.posterior = posterior_});
    annotator.accumulate(ids_, posterior_);
    annotator.update();
  }

 private:
  std::vector<std::size_t> ids_;
  std::vector<double> zeros_, reliability_, posterior_;
};

struct fixed_point {
  double value;
  int steps;
  double rate;  ///< by which the last steps shrank
};

/// Full batches, which take the mean of the posteriors for the new reliability, until it stands still.
fixed_point iterate(std::span<double const> margins, double start) {
  prefopt::annotator_reliability annotator{1, start, 1.0};
  em_step step{margins.size()};
  fixed_point reached{start, 0, 0};
  double before = 0, moved = 0;
  do {
    double const value = reached.value;
    before = moved;
    step(margins, annotator);
    reached.value = annotator.values()[0];
    moved = reached.value - value;
    ++reached.steps;
  } while (std::abs(moved) > 1e-7 && reached.steps < most_steps);
  reached.rate = before == 0 ? 0 : moved / before;
  return reached;
}

struct hovering {
  double mean, deviation;
};

/// Batches of 128 with the standard rate of 0.1, after the first ones.
hovering follow(std::span<double const> margins) {
  constexpr std::size_t batch = 128;
  prefopt::annotator_reliability annotator{1, 0.9, 0.1};
  em_step step{batch};
  std::size_t const batches = margins.size() / batch, skipped = batches / 3;
  double sum = 0, squares = 0, count = 0;
  for (std::size_t i = 0; i < batches; ++i) {
    step(margins.subspan(i * batch, batch), annotator);
    if (i < skipped) continue;
    double const value = annotator.values()[0];
    sum += value;
    squares += value * value;
    ++count;
  }
  double const mean = sum / count;
  return {mean, std::sqrt(squares / count - mean * mean)};
}

}  // namespace

std::string reliability_table(std::size_t pairs, std::uint64_t seed, std::size_t threads, progress& shown) {
  std::vector<std::vector<std::string>> rows(std::size(truths));
  auto const run = [&](std::size_t i) {
    auto random = random_generator(drawn_for::annotators, {of_seed(seed, i)});
    auto const margins = draw_margins(truths[i], pairs, random);
    auto& row = rows[i];
    row.push_back(decimals(truths[i], 2));
    fixed_point reached{};
    for (double const start : starts) {
      reached = iterate(margins, start);
      row.push_back(decimals(reached.value, 4));
      row.push_back(std::to_string(reached.steps));
    }
    row.push_back(decimals(reached.rate));
    auto const [mean, deviation] = follow(margins);
    row.push_back(decimals(mean, 4));
    row.push_back(decimals(deviation, 4));
  };
  parallel_for(rows.size(), threads, run, [&](std::size_t done) { shown.show("reliability", done, rows.size()); });
  rows.insert(rows.begin(), {"eta*", "from 0.9", "steps", "from 0.55", "steps", "rate", "batches: mean", "sd"});
  return text_table(rows);
}
