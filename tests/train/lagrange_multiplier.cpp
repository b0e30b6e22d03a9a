// The multiplier of Safe RLHF's constraint.
#include <catch.hpp>
#include <cmath>
#include <cstddef>
#include <limits>
#include <prefopt/prefopt.hpp>
#include <prefopt/train/lagrange_multiplier.hpp>
#include <refusal.hpp>
#include <vector>

using namespace prefopt;

TEST_CASE("one step of the multiplier, and the advantage that it makes") {
  lagrange_multiplier multiplier{{.initial = 2, .highest = 20, .rate = 0.1, .threshold = -0.5}};
  CHECK(std::fabs(multiplier.advantage(1.5, 0.5) - 0.16666666666666666) < 1e-16);
  multiplier.update(0.25);
  CHECK(std::fabs(multiplier.value() - 2.3236684854565661) < 1e-15);
  double const before = multiplier.value();
  multiplier.update(-0.5);
  CHECK(multiplier.value() == before);
  multiplier.update(-1.5);
  CHECK(multiplier.value() < before);
}

TEST_CASE("the multiplier stays within its bounds, and 0 stays 0") {
  lagrange_multiplier multiplier;
  CHECK(multiplier.value() == 10);
  for (int i = 0; i < 100; ++i) multiplier.update(5);
  CHECK(multiplier.value() == 20);
  for (int i = 0; i < 100000; ++i) multiplier.update(-1e6);
  CHECK(multiplier.value() > 0);
  multiplier.restore(0);
  multiplier.update(3);
  CHECK(multiplier.value() == 0);
  CHECK(multiplier.advantage(1.5, 7) == 1.5);
  CHECK(multiplier.advantage(1.5, std::numeric_limits<double>::infinity()) == 1.5);
  // Large multipliers leave the cost alone.
  lagrange_multiplier large{{.initial = 1e15, .highest = 1e15}};
  CHECK(std::fabs(large.advantage(1.5, 7) + 7) < 1e-13);
}

TEMPLATE_TEST_CASE("advantages of columns", "", float, double) {
  using T = TestType;
  lagrange_multiplier const multiplier{{.initial = 3}};
  std::vector<T> reward{1, -2, 0.5}, combined(6, T(9));
  std::vector<T> const cost{0.5, 1, -1};
  multiplier.advantages(column<T>{reward}, cost, {combined.data(), 3, 2});
  multiplier.advantages(column<T>{reward}, cost, reward);
  CHECK(reward == std::vector<T>{T(-0.125), T(-1.25), T(0.875)});
  CHECK(combined == std::vector<T>{T(-0.125), 9, T(-1.25), 9, T(0.875), 9});
  CHECK(refusal([&] {
          multiplier.advantages(column<T>{reward}, column<T>{cost.data(), 2}, reward);
        }) == "prefopt::lagrange_multiplier: advantages: the cost's has 2 elements, the reward's has 3");
  CHECK(refusal([&] { multiplier.advantages(column<T>{reward}, cost, output<T>{}); }) ==
        "prefopt::lagrange_multiplier: advantages: the output has 0 elements, the reward's has 3");
}

TEST_CASE("a multiplier's settings and costs are numbers in range") {
  double const nan = std::numeric_limits<double>::quiet_NaN();
  using settings = lagrange_multiplier::settings;
  CHECK(refusal([] { lagrange_multiplier{settings{.highest = 0}}; }) ==
        "prefopt::lagrange_multiplier: highest is 0, expected a finite number > 0");
  CHECK(refusal([] { lagrange_multiplier{settings{.rate = -1}}; }) ==
        "prefopt::lagrange_multiplier: rate is -1, expected a finite number >= 0");
  CHECK(refusal([&] { lagrange_multiplier{settings{.threshold = nan}}; }) ==
        "prefopt::lagrange_multiplier: threshold is nan, expected a finite number");
  CHECK(refusal([] { lagrange_multiplier{settings{.initial = 21}}; }) ==
        "prefopt::lagrange_multiplier: lambda is 21, expected a number in [0, 20]");
  lagrange_multiplier multiplier;
  CHECK(refusal([&] { multiplier.update(nan); }) ==
        "prefopt::lagrange_multiplier: update: the mean cost is nan, expected a finite number");
  CHECK(refusal([&] { multiplier.restore(-1); }) ==
        "prefopt::lagrange_multiplier: lambda is -1, expected a number in [0, 20]");
  CHECK(multiplier.value() == 10);
}
