// The weights of tasks that make the shortest gradient.
#include <algorithm>
#include <catch.hpp>
#include <cmath>
#include <cstddef>
#include <limits>
#include <prefopt/prefopt.hpp>
#include <prefopt/train/min_norm_weights.hpp>
#include <random>
#include <refusal.hpp>
#include <string>
#include <vector>

using namespace prefopt;

namespace {

using gradients_of_tasks = std::vector<std::vector<double>>;

std::vector<double> gram_of(gradients_of_tasks const& g) {
  std::vector<double> gram;
  for (auto const& a : g) {
    for (auto const& b : g) {
      double sum = 0;
      for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
      gram.push_back(sum);
    }
  }
  return gram;
}

std::vector<double> weights_of(gradients_of_tasks const& g) {
  auto const gram = gram_of(g);
  return min_norm_weights(row_major<double const>{gram.data(), g.size(), g.size()});
}

/// On the simplex, and no other point of it has a shorter sum.
void check_optimal(gradients_of_tasks const& g, std::vector<double> const& weights) {
  std::size_t const tasks = g.size();
  REQUIRE(weights.size() == tasks);
  std::vector<long double> sum(g[0].size());
  long double total = 0, largest = 0;
  for (std::size_t k = 0; k < tasks; ++k) {
    CHECK(weights[k] >= 0);
    total += weights[k];
    for (std::size_t i = 0; i < sum.size(); ++i) {
      sum[i] += static_cast<long double>(weights[k]) * g[k][i];
      largest = std::max(largest, static_cast<long double>(g[k][i] * g[k][i]));
    }
  }
  CHECK(std::fabs(total - 1) < 1e-14L);
  long double norm = 0;
  for (long double const x : sum) norm += x * x;
  for (std::size_t k = 0; k < tasks; ++k) {
    long double along = 0;
    for (std::size_t i = 0; i < sum.size(); ++i) along += sum[i] * g[k][i];
    CAPTURE(k, static_cast<double>(norm), static_cast<double>(along));
    CHECK(along >= norm - 1e-12L * largest);
    if (weights[k] > 0) CHECK(along <= norm + 1e-11L * largest);
  }
}

void check_weights(gradients_of_tasks const& g, std::vector<double> const& expected) {
  auto const got = weights_of(g);
  check_optimal(g, got);
  for (std::size_t k = 0; k < expected.size(); ++k) CHECK(std::fabs(got[k] - expected[k]) < 1e-15);
}

}  // namespace

TEST_CASE("two tasks have a closed form") {
  check_weights({{2, 0}, {0, 1}}, {0.2, 0.8});
  check_weights({{2, 0}, {1, 0.5}}, {0, 1});
  check_weights({{1, 0.5}, {2, 0}}, {1, 0});
  check_weights({{1, 1}, {-1, -1}}, {0.5, 0.5});
  check_weights({{3, 4}}, {1});
  std::mt19937 engine{5};
  std::normal_distribution<double> normal;
  for (int n = 0; n < 100; ++n) {
    gradients_of_tasks g(2, std::vector<double>(4));
    for (auto& row : g) {
      for (double& x : row) x = normal(engine);
    }
    auto const gram = gram_of(g);
    double const apart = gram[0] - 2 * gram[1] + gram[3];
    double const first = std::clamp((gram[3] - gram[1]) / apart, 0.0, 1.0);
    CHECK(std::fabs(weights_of(g)[0] - first) < 1e-13);
  }
}

TEST_CASE("random tasks meet the conditions of an optimum") {
  std::mt19937 engine{8};
  std::normal_distribution<double> normal;
  for (std::size_t tasks = 1; tasks <= 8; ++tasks) {
    for (std::size_t const dimension : {1U, 2U, 3U, 7U, 30U}) {
      for (double const shift : {0.0, 1.0}) {
        CAPTURE(tasks, dimension, shift);
        gradients_of_tasks g(tasks, std::vector<double>(dimension));
        for (auto& row : g) {
          for (double& x : row) x = normal(engine) + shift;
        }
        check_optimal(g, weights_of(g));
      }
    }
  }
  gradients_of_tasks most(16, std::vector<double>(20));
  for (auto& row : most) {
    for (double& x : row) x = normal(engine);
  }
  check_optimal(most, weights_of(most));
  // None of them can be left out.
  gradients_of_tasks apart(16, std::vector<double>(16));
  for (std::size_t k = 0; k < 16; ++k) apart[k][k] = 3;
  for (double const weight : weights_of(apart)) CHECK(std::fabs(weight - 1.0 / 16) < 1e-15);
}

TEST_CASE("weights do not depend on the scale of all gradients, nor on the order of tasks") {
  gradients_of_tasks const g{{1, 2, -1}, {-2, 0.5, 1}, {0.25, -1, 3}};
  auto const weights = weights_of(g);
  for (double const scale : {1e-80, 0x1p-20, 1e3, 1e70}) {
    auto scaled = g;
    for (auto& row : scaled) {
      for (double& x : row) x *= scale;
    }
    auto const got = weights_of(scaled);
    for (std::size_t k = 0; k < 3; ++k) CHECK(std::fabs(got[k] - weights[k]) < 1e-14);
  }
  auto const turned = weights_of({g[2], g[0], g[1]});
  for (std::size_t k = 0; k < 3; ++k) CHECK(std::fabs(turned[(k + 1) % 3] - weights[k]) < 1e-14);
}

TEST_CASE("equal gradients go to the first, no gradient gets it all, small ones are not lost beside large ones") {
  check_weights({{1, 2}, {1, 2}, {1, 2}}, {1, 0, 0});
  check_weights({{1, 0}, {0, 1}, {1, 0}, {0, 1}}, {0.5, 0.5, 0, 0});
  check_weights({{1, 0}, {0, 0}, {0, 1}, {0, 0}}, {0, 1, 0, 0});
  check_weights({{0, 0}, {0, 0}}, {1, 0});
  // Three in a line: the middle is between the others.
  check_weights({{-1, 1}, {1, 1}, {0, 1}}, {0, 0, 1});
  auto const small = weights_of({{1e-10, 0}, {0, 1e-10}, {1, 1}});
  CHECK(std::fabs(small[0] - 0.5) < 1e-12);
  CHECK(std::fabs(small[1] - 0.5) < 1e-12);
  CHECK(small[2] == 0);
  // Where there is 0 within, it is found.
  auto const around = weights_of({{1, 0}, {-0.5, 0.8}, {-0.5, -0.8}, {3, 1}});
  double x = 0, y = 0;
  gradients_of_tasks const g{{1, 0}, {-0.5, 0.8}, {-0.5, -0.8}, {3, 1}};
  for (std::size_t k = 0; k < 4; ++k) {
    x += around[k] * g[k][0];
    y += around[k] * g[k][1];
  }
  CHECK(std::hypot(x, y) < 1e-15);
}

TEST_CASE("the optimum is found in any order of tasks where one gradient is far longer than the others") {
  for (double const far : {1e2, 1e6, 1e8, 1e9, 1e12}) {
    gradients_of_tasks const g{{far, 1, 0}, {-1, 2, 1}, {-2, -1, 3}};
    // To first order of 1 / far the weights are (17 / 13 / far, 9 / 13, 4 / 13), and the square of the sum is 49 / 13.
    for (auto const& order : std::vector<std::vector<std::size_t>>{{0, 1, 2}, {2, 1, 0}, {1, 0, 2}, {1, 2, 0}}) {
      auto const weights = weights_of({g[order[0]], g[order[1]], g[order[2]]});
      double d[3]{};
      for (std::size_t k = 0; k < 3; ++k) {
        for (std::size_t i = 0; i < 3; ++i) d[i] += weights[k] * g[order[k]][i];
      }
      double const norm = d[0] * d[0] + d[1] * d[1] + d[2] * d[2];
      CAPTURE(far, order[0], order[1], norm);
      for (auto const& row : g) {
        double const along = d[0] * row[0] + d[1] * row[1] + d[2] * row[2];
        // d[0] is what the roundings of two terms of size 1 leave, times the length.
        CHECK(std::fabs(along - norm) < 1e-14 * far + 1e-12);
      }
      CHECK(std::fabs(norm - 49. / 13) < 20 / far);
    }
  }
}

TEST_CASE("a Gram matrix in float, with rows apart") {
  std::vector<float> const gram{4, 0, 9, 0, 1, 9};
  auto const got = min_norm_weights(row_major<float const>{gram.data(), 2, 2, 3});
  CHECK(std::fabs(got[0] - 0.2) < 1e-15);
  CHECK(std::fabs(got[1] - 0.8) < 1e-15);
}

TEST_CASE("what is no Gram matrix is refused") {
  auto const refused = [](std::vector<double> const& gram, std::size_t rows, std::size_t columns) {
    return refusal([&] { min_norm_weights(row_major<double const>{gram.data(), rows, columns}); });
  };
  CHECK(refused({}, 0, 0) == "prefopt::min_norm_weights: there is no task, expected at least 1");
  CHECK(refused(std::vector<double>(289), 17, 17) ==
        "prefopt::min_norm_weights: there are 17 tasks, expected at most 16");
  CHECK(refused({1, 2, 3, 4, 5, 6}, 2, 3) == "prefopt::min_norm_weights: gram is 2 x 3, expected a square");
  CHECK(refused({1, 0.5, 0.25, 1}, 2, 2) ==
        "prefopt::min_norm_weights: gram[0][1] is 0.5, expected 0.25 as on the other side of the diagonal");
  CHECK(refused({1, 0, 0, -1}, 2, 2) == "prefopt::min_norm_weights: gram[1][1] is -1, expected a number >= 0");
  CHECK(refused({std::numeric_limits<double>::quiet_NaN()}, 1, 1) ==
        "prefopt::min_norm_weights: gram[0][0] is nan, expected a finite number");
  std::vector<double> const numbers(4, 1.0);
  CHECK(refusal([&] {
          min_norm_weights(row_major<double const>{numbers.data(), 2, 2, 1, 2});
        }) ==
        "prefopt::min_norm_weights: gram has a column stride of 2, expected rows that are contiguous (row-major)");
}
