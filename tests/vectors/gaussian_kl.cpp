// The divergence of normal distributions from the standard one, for VPL.
#include <prefopt/vectors/gaussian_kl.hpp>

#include <catch.hpp>
#include <cmath>
#include <cstddef>
#include <limits>
#include <prefopt/prefopt.hpp>
#include <refusal.hpp>
#include <vector>

#include "vector_pairs.hpp"

using namespace prefopt;

TEST_CASE("the divergence of a normal distribution: a worked example") {
  std::vector<double> const mean{.7, -1.3}, v{.4, -2.1}, one{1};
  std::vector<double> kl(1), d_mean(2), d_v(2);
  gaussian_rows<double> const rows{.mean = {mean.data(), 1, 2}, .log_variance = {v.data(), 1, 2}};
  gaussian_kl(rows, kl);
  CHECK(std::fabs(kl[0] - 1.7471405629471262) < 1e-15);
  gaussian_kl_gradients(rows, one, {.d_mean = {d_mean.data(), 1, 2}, .d_log_variance = {d_v.data(), 1, 2}});
  CHECK(d_mean == mean);
  CHECK(std::fabs(d_v[0] - 0.24591234882063515) < 1e-15);
  CHECK(std::fabs(d_v[1] + 0.43877178587350907) < 1e-15);
}

TEST_CASE("the divergence keeps its digits where the log-variance is small") {
  for (double v : {1e-300, 1e-160, 1e-20, 1e-8, 1e-5, 1e-3, 0.1, 0.5, 0.999, 1.0, 1.5, 5.0, 300.0}) {
    for (double const sign : {1.0, -1.0}) {
      double const x = sign * v;
      // The series in long double, where what the formula cancels is more than long double has.
      long double expected = 0, term = 0.5L * static_cast<long double>(x) * x;
      if (v < 1) {
        for (int k = 3; k < 60; ++k) {
          expected += term;
          term *= static_cast<long double>(x) / k;
        }
      } else {
        expected = std::expm1(static_cast<long double>(x)) - x;
      }
      double kl = 0;
      double const mean = 0;
      gaussian_kl(gaussian_rows<double>{.mean = {&mean, 1, 1}, .log_variance = {&x, 1, 1}}, {&kl, 1});
      CAPTURE(x);
      CHECK(std::fabs(kl - expected / 2) <= 4e-16L * expected + 1e-320L);
    }
  }
}

TEMPLATE_TEST_CASE("divergences and their gradients are the formulas, within a limit", "", float, double) {
  using T = TestType;
  constexpr std::size_t n = 70, dimension = 5;
  random_rows<T> const mean{n, dimension, 1}, v{n, dimension, 2, 3};
  random_rows<T> d_mean{n, dimension, 3}, d_v{n, dimension, 4, 0};
  auto const before = d_mean;
  std::vector<T> kl(n), d(n);
  for (std::size_t i = 0; i < n; ++i) d[i] = static_cast<T>(i) - 3;
  double const unit = std::numeric_limits<T>::epsilon();
  for (double const limit : {std::numeric_limits<double>::infinity(), 1.0, 0.0}) {
    gaussian_rows<T> const rows{.mean = mean.read(), .log_variance = v.read(), .limit = limit};
    gaussian_kl(rows, kl);
    d_mean = before;
    gaussian_kl_gradients(rows, d, {.d_log_variance = d_v.write()});
    gaussian_kl_gradients(rows, d, {.d_mean = d_mean.write()}, gradient_write::accumulate);
    bool right = true;
    for (std::size_t i = 0; i < n; ++i) {
      long double sum = 0;
      for (std::size_t k = 0; k < dimension; ++k) {
        long double const m = mean.at(i, k), x = v.at(i, k),
                          bounded =
                              std::min(std::max(x, -static_cast<long double>(limit)), static_cast<long double>(limit));
        sum += (m * m + std::expm1(bounded) - bounded) / 2;
        long double const of_v = std::fabs(x) > limit ? 0 : d[i] * std::expm1(x) / 2, all = before.at(i, k) + d[i] * m;
        right = right && std::fabs(d_v.at(i, k) - of_v) <= unit * std::fabs(of_v) * 2;
        right = right && std::fabs(d_mean.at(i, k) - all) <= unit * (std::fabs(all) + std::fabs(d[i] * m));
      }
      right = right && std::fabs(kl[i] - sum) <= 2 * unit * sum;
    }
    CHECK(right);
  }
}

TEST_CASE("the standard distribution has 0; what is infinite is infinitely far") {
  double const inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  auto const kl_of = [](double mean, double v, double limit) {
    double kl = 0;
    gaussian_kl(gaussian_rows<double>{.mean = {&mean, 1, 1}, .log_variance = {&v, 1, 1}, .limit = limit}, {&kl, 1});
    return kl;
  };
  CHECK(kl_of(0, 0, inf) == 0);
  CHECK(kl_of(0, inf, inf) == inf);
  CHECK(kl_of(0, -inf, inf) == inf);
  CHECK(kl_of(0, 1e4, inf) == inf);
  CHECK(kl_of(0, inf, 1) == kl_of(0, 1, inf));
  CHECK(kl_of(-inf, 0, inf) == inf);
  CHECK(kl_of(nan, 0, inf) != kl_of(nan, 0, inf));
  CHECK(kl_of(0, nan, 1) != kl_of(0, nan, 1));
}

TEST_CASE("normal distributions that do not fit are refused") {
  std::vector<double> mean(6), v(6), kl(3, 5.0), d(6, 5.0);
  gaussian_rows<double> rows{.mean = {mean.data(), 3, 2}, .log_variance = {v.data(), 2, 3}};
  CHECK(refusal([&] { gaussian_kl(rows, kl); }) == "prefopt::gaussian_kl: log_variance is 2 x 3, expected 3 x 2");
  rows.log_variance = {v.data(), 3, 2};
  rows.limit = -1;
  CHECK(refusal([&] { gaussian_kl(rows, kl); }) == "prefopt::gaussian_kl: limit is -1, expected a number >= 0");
  rows.limit = 1;
  CHECK(refusal([&] {
          gaussian_kl(rows, {kl.data(), 2});
        }) == "prefopt::gaussian_kl: kl has 2 elements, there are 3 rows");
  CHECK(refusal([&] {
          gaussian_kl_gradients(rows, kl, {.d_mean = {mean.data(), 3, 2}});
        }) == "prefopt::gaussian_kl_gradients: d_mean overlaps mean");
  CHECK(kl == std::vector<double>(3, 5.0));
}
