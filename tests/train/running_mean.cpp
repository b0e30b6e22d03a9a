// The running mean that bco's delta is.
#include <array>
#include <catch.hpp>
#include <cmath>
#include <cstddef>
#include <limits>
#include <prefopt/prefopt.hpp>
#include <prefopt/train/running_mean.hpp>
#include <refusal.hpp>
#include <vector>

using namespace prefopt;

TEST_CASE("per example each counts alike, per batch each batch; batches of one size make them agree") {
  running_mean of_examples, of_batches;
  CHECK(of_examples.mean() == 0);
  CHECK(of_examples.count() == 0);
  of_examples.add(1.5, 2);
  CHECK(of_examples.mean() == 1.5);
  of_examples.add(-0.5, 6);
  CHECK(std::fabs(of_examples.mean() - 0) < 1e-15);
  CHECK(of_examples.count() == 8);
  of_batches.add_batch(1.5);
  of_batches.add_batch(-0.5);
  CHECK(of_batches.mean() == 0.5);
  CHECK(of_batches.count() == 2);
  of_batches.add(7, 0);
  CHECK(of_batches.mean() == 0.5);

  running_mean alike, batches;
  for (double const mean : {0.25, -3.0, 17.5, 2.0}) {
    alike.add(mean, 32);
    batches.add_batch(mean);
  }
  CHECK(std::fabs(alike.mean() - batches.mean()) < 1e-15);
}

TEMPLATE_TEST_CASE("rewards of pairs by a report, of single completions by their values: the mean of all", "", float,
                   double) {
  using T = TestType;
  std::vector<T> const chosen{-40, -55, -18}, rejected{-47, -53, -20}, zero(3, T(0)), label{1, 0, 1, 1, 0, 1};
  std::vector<T> all = chosen, reward(6);
  all.insert(all.end(), rejected.begin(), rejected.end());
  running_mean by_report, by_rewards;
  by_report.add(evaluate(
      bco_pair{}, pair_batch<T>{.chosen = chosen, .rejected = rejected, .ref_chosen = zero, .ref_rejected = zero}));
  std::vector<T> const zeros(6, T(0));
  evaluate(bco{}, unpaired_batch<T>{.logp = all, .ref_logp = zeros, .label = label}, {.reward = reward});
  by_rewards.add(reward);
  double const expected = 0.1 * (-40 - 55 - 18 - 47 - 53 - 20) / 6.0;
  CHECK(by_report.count() == 6);
  CHECK(by_rewards.count() == 6);
  CHECK(std::fabs(by_report.mean() - expected) < 1e-6);
  CHECK(std::fabs(by_rewards.mean() - expected) < 1e-6);
}

TEST_CASE("completions that were left out are in no mean") {
  double const none = std::numeric_limits<double>::quiet_NaN();
  std::vector<double> const logp{-10, -12, none, none}, reference{-20, -22, -20, -20}, label{1, 1, 1, 0};
  std::vector<double> reward(4);
  auto const seen =
      evaluate(bco{.beta = 0.1}, unpaired_batch<double>{.logp = logp, .ref_logp = reference, .label = label},
               {.reward = reward}, {.non_finite = on_invalid::skip});
  running_mean mean;
  mean.add(reward, seen);
  CHECK(mean.count() == 2);
  CHECK(std::fabs(mean.mean() - 1) < 1e-15);
  CHECK(refusal([&] { mean.add(label, report{.count = 3}); }) ==
        "prefopt::running_mean: there are 4 rewards, the report is of 3");
  mean.add(std::vector<double>{0, 0}, report{.skipped = 2});
  CHECK(mean.count() == 2);
}

TEST_CASE("every rank adds what all have") {
  std::vector<double> const own{1, 2}, none;
  double const of_others[]{10, 3};
  auto const sum = [&](std::span<double> values) {
    REQUIRE(values.size() == 2);
    values[0] += of_others[0];
    values[1] += of_others[1];
  };
  running_mean here, empty;
  here.add(own, sum);
  CHECK(here.mean() == 13.0 / 5);
  CHECK(here.count() == 5);
  empty.add(none, sum);
  CHECK(empty.mean() == 10.0 / 3);
  running_mean alone;
  alone.add(none);
  CHECK(alone.count() == 0);
}

TEST_CASE("a running mean goes on from saved numbers, and refuses what is none") {
  running_mean first;
  first.add(0.3, 7);
  first.add(-2, 5);
  running_mean second{first.state()};
  first.add(1, 3);
  second.add(1, 3);
  CHECK(first.mean() == second.mean());
  CHECK(first.count() == second.count());

  double const nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
  double const before = first.mean();
  CHECK(refusal([&] { first.add(nan, 1); }) == "prefopt::running_mean: the mean is nan, expected a finite number");
  CHECK(refusal([&] { first.add(1, -1); }) == "prefopt::running_mean: the count is -1, expected a finite number >= 0");
  CHECK(refusal([&] { first.add(1, inf); }) ==
        "prefopt::running_mean: the count is inf, expected a finite number >= 0");
  CHECK(refusal([&] {
          first.add(std::array{1.0, -inf});
        }) == "prefopt::running_mean: the mean is -inf, expected a finite number");
  CHECK(refusal([&] { running_mean{{.mean = inf, .count = 1}}; }) ==
        "prefopt::running_mean: the mean is inf, expected a finite number");
  CHECK(first.mean() == before);
}
