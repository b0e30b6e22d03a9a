#pragma once

#include <algorithm>
#include <catch.hpp>
#include <cmath>
#include <cstddef>
#include <functional>
#include <random>
#include <vector>

// A paper's objective, written out in long double, and the library's value and gradient beside it.

using real = long double;
using numbers = std::vector<double>;
using reals = std::vector<real>;

inline numbers random_numbers(std::size_t n, double low, double high, unsigned seed) {
  std::mt19937 engine{seed};
  std::uniform_real_distribution<double> uniform{low, high};
  numbers all;
  for (std::size_t i = 0; i < n; ++i) all.push_back(uniform(engine));
  return all;
}

inline real softplus(real x) { return std::max(x, real(0)) + std::log1p(std::exp(-std::fabs(x))); }
inline real logistic_of(real x) { return 1 / (1 + std::exp(-x)); }
inline real square(real x) { return x * x; }
inline real log_sum_exp(reals const& x) {
  real highest = x[0], sum = 0;
  for (real const value : x) highest = std::max(highest, value);
  for (real const value : x) sum += std::exp(value - highest);
  return highest + std::log(sum);
}

/// One behind the other: what a paper's objective is a function of.
template <class... More>
numbers joined(numbers first, More const&... more) {
  (first.insert(first.end(), more.begin(), more.end()), ...);
  return first;
}

using objective = std::function<real(reals const&)>;

/// The value, and the gradient by everything in `at`, by differences.
inline void check_objective(objective const& paper, numbers const& at, double value, numbers const& gradient) {
  reals x(at.begin(), at.end());
  real const expected = paper(x);
  CHECK(std::fabs(value - expected) <= 1e-12L * (1 + std::fabs(expected)));
  REQUIRE(gradient.size() == at.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    real const before = x[i], step = 1e-5L * (1 + std::fabs(before));
    auto const across = [&](real distance) {
      x[i] = before + distance;
      real const above = paper(x);
      x[i] = before - distance;
      real const below = paper(x);
      x[i] = before;
      return above - below;
    };
    // Of the fourth order: slopes of steep links, diffusion_dpo's say, change within a step.
    real const slope = (8 * across(step) - across(2 * step)) / (12 * step);
    CAPTURE(i, gradient[i], static_cast<double>(slope));
    CHECK(std::fabs(gradient[i] - slope) <= 1e-8L * (1 + std::fabs(slope)));
  }
}
