// The moving averages of alpha_dpo and beta_dpo.
#include <catch.hpp>
#include <cmath>
#include <cstddef>
#include <limits>
#include <prefopt/prefopt.hpp>
#include <prefopt/train/exponential_mean.hpp>
#include <refusal.hpp>
#include <span>
#include <vector>

using namespace prefopt;

TEMPLATE_TEST_CASE("the first update sets, later ones move by a tenth", "", float, double) {
  using T = TestType;
  exponential_mean average;
  CHECK(average.mean() == 0);
  CHECK(average.deviation() == 1);
  std::vector<T> const first{1, 2, 3, 6}, second{-1, 1};
  average.update(first);
  double const deviation = std::sqrt((4.0 + 1 + 0 + 9) / 3);
  CHECK(average.mean() == 3);
  CHECK(std::fabs(average.deviation() - deviation) < 1e-15);
  average.update(second);
  CHECK(std::fabs(average.mean() - 2.7) < 1e-15);
  CHECK(std::fabs(average.deviation() - (0.9 * deviation + 0.1 * std::sqrt(2.0))) < 1e-15);
  auto const before = average.state();
  average.update(std::vector<T>{});
  CHECK(average.state().mean == before.mean);
  CHECK(average.state().means == before.means);
}

TEST_CASE("one value has no deviation, and equal ones have none to divide by") {
  exponential_mean average;
  average.update(std::vector<double>{4.0});
  CHECK(average.mean() == 4);
  CHECK(average.deviation() == 1);
  average.update(std::vector<double>{2, 2, 2});
  CHECK(std::fabs(average.mean() - 3.8) < 1e-15);
  // The first deviation that there is sets it.
  CHECK(average.deviation() == 1e-6);
  CHECK(average.state().deviation == 0);
  average.update(0, 2);
  CHECK(std::fabs(average.deviation() - 0.2) < 1e-15);
}

TEST_CASE("the authors' averages begin at 0") {
  exponential_mean average{0.5};
  average.restore({0, 0, 1, 1});
  average.update(4, 2);
  CHECK(average.mean() == 2);
  CHECK(average.deviation() == 1);
}

TEST_CASE("the averages of ranks are those of all values") {
  std::vector<double> const all{0.5, -2, 3, 8, 1.25}, own(all.begin(), all.begin() + 2);
  std::vector<double> const others(all.begin() + 2, all.end());
  exponential_mean whole, part;
  whole.update(all);
  int calls = 0;
  part.update(own, [&](std::span<double> values) {
    if (calls++ == 0) {
      REQUIRE(values.size() == 2);
      for (double const x : others) values[0] += x;
      values[1] += 3;
    } else {
      REQUIRE(values.size() == 1);
      for (double const x : others) values[0] += (x - whole.mean()) * (x - whole.mean());
    }
  });
  CHECK(calls == 2);
  CHECK(std::fabs(part.mean() - whole.mean()) < 1e-15);
  CHECK(std::fabs(part.deviation() - whole.deviation()) < 1e-15);
}

TEST_CASE("alpha_dpo with averages is its formula, and beta_dpo's offset moves its beta") {
  std::vector<double> const chosen{-20, -31, -9}, rejected{-26, -30, -14}, ref_chosen{-22, -29, -9.5},
      ref_rejected{-25, -32, -13}, one(3, 1.0);
  std::vector<double> h;
  for (std::size_t i = 0; i < 3; ++i) h.push_back(chosen[i] - ref_chosen[i] - (rejected[i] - ref_rejected[i]));
  exponential_mean average;
  average.update(h);
  alpha_dpo const loss{.beta = 2, .gamma = 1, .alpha = 0.2, .mean = average.mean(), .deviation = average.deviation()};
  pair_batch<double> batch{.chosen = chosen,
                           .rejected = rejected,
                           .ref_chosen = ref_chosen,
                           .ref_rejected = ref_rejected,
                           .chosen_length = one,
                           .rejected_length = one};
  std::vector<double> value(3);
  evaluate(loss, batch, {.loss = value});
  long double mean = 0, squares = 0;
  for (double const x : h) mean += x / 3.0L;
  for (double const x : h) squares += (x - mean) * (x - mean);
  long double const deviation = std::sqrt(squares / 2);
  for (std::size_t i = 0; i < 3; ++i) {
    long double const z = 2.0L * (chosen[i] - rejected[i]) - 1 - 0.4L * (h[i] - mean) / deviation;
    CHECK(std::fabs(value[i] - std::log1p(std::exp(-z))) < 1e-13L);
  }
  batch.chosen_length = batch.rejected_length = {};
  evaluate(beta_dpo{.a = 0.5, .offset = average.mean()}, batch, {.loss = value});
  // The batch's own mean is the offset: beta is beta.
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(std::fabs(value[i] - std::log1p(std::exp(-0.1L * static_cast<long double>(h[i])))) < 1e-13L);
  }
}

TEST_CASE("averages refuse what is out of range, and stay") {
  double const nan = std::numeric_limits<double>::quiet_NaN();
  for (double const weight : {1.0, -0.5, nan}) {
    CHECK(refusal([&] { exponential_mean{weight}; }) ==
          "prefopt::exponential_mean: weight is " + detail::text(weight) + ", expected a number in [0, 1)");
  }
  CHECK(refusal([&] { exponential_mean(0.9, 0); }) ==
        "prefopt::exponential_mean: lowest is 0, expected a finite number > 0");
  exponential_mean average;
  average.update(2, 3);
  CHECK(refusal([&] { average.update(nan, 1); }) ==
        "prefopt::exponential_mean: the mean is nan, expected a finite number");
  CHECK(refusal([&] { average.update(1, -1); }) ==
        "prefopt::exponential_mean: the deviation is -1, expected a finite number >= 0");
  CHECK(refusal([&] {
          average.update(std::vector<double>{1, nan});
        }) == "prefopt::exponential_mean: the mean is nan, expected a finite number");
  CHECK(refusal([&] {
          average.restore({1, 1, -1, 1});
        }) == "prefopt::exponential_mean: restore: the number of updates is below 0");
  CHECK(average.mean() == 2);
  CHECK(average.deviation() == 3);
}
