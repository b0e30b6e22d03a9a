#include "pair_terms.hpp"

#include <algorithm>
#include <cmath>

double log_sum(double a, double b) {
  double const larger = std::max(a, b), smaller = std::min(a, b);
  return smaller == -INFINITY ? larger : larger + std::log1p(std::exp(smaller - larger));
}

double times_exp(double count, double x) {
  return x > -600 || count == 0 ? count * std::exp(x) : std::exp(std::log(count) + x);
}

namespace {

/// log(1 / (1 + e^-x))
double log_logistic(double x) { return x < 0 ? x - std::log1p(std::exp(x)) : -std::log1p(std::exp(-x)); }

/// log theta, and its first two derivatives by the parameter.
struct threshold {
  double value, slope, curvature;
  explicit threshold(double parameter)
      : value{parameter > 0 ? (parameter + std::log1p(std::exp(-parameter))) / 2 : std::log1p(std::exp(parameter)) / 2},
        slope{std::exp(log_logistic(parameter)) / 2},
        curvature{slope * std::exp(log_logistic(-parameter))} {}
};

}  // namespace

pair_log_probabilities pair_model::log_probabilities(double d) const {
  switch (ties) {
    case tie_model::davidson: {
      // Of the three weights the largest is taken out, and so are its rounding errors.
      double const tie = parameter - std::abs(d) / 2;
      double const all = log_sum(0, log_sum(tie, -std::abs(d)));
      return {std::min(d, 0.0) - all, std::min(-d, 0.0) - all, tie - all};
    }
    case tie_model::rao_kupper: {
      double const log_theta = threshold{parameter}.value;
      double const first = log_logistic(d - log_theta), second = log_logistic(-d - log_theta);
      return {first, second, parameter + first + second};
    }
    default:
      return {log_logistic(d), log_logistic(-d), 0};
  }
}

pair_derivatives pair_model::derivatives(double d, pair_counts const& n) const {
  auto const [first, second, tie] = log_probabilities(d);
  if (ties == tie_model::rao_kupper) {
    threshold const log_theta{parameter};
    // Chances of the opposite of each of the two logistic factors.
    double const not_first = log_logistic(log_theta.value - d), not_second = log_logistic(log_theta.value + d);
    double const a = times_exp(n.first + n.tie, not_first), b = times_exp(n.second + n.tie, not_second);
    double const aa = times_exp(n.first + n.tie, not_first + first),
                 bb = times_exp(n.second + n.tie, not_second + second);
    double const slope = log_theta.slope;
    return {.worth = a - b,
            .tie = n.tie - slope * (a + b),
            .worth_worth = aa + bb,
            .worth_tie = slope * (bb - aa),
            .tie_tie = slope * slope * (aa + bb) + log_theta.curvature * (a + b)};
  }
  // Each outcome gains from what the others' chances are: no difference of a count and what was expected of it, which
  // would lose the digits of rare outcomes.
  pair_derivatives result{.worth = times_exp(n.first, second) - times_exp(n.second, first),
                          .worth_worth = times_exp(n.all(), first + second)};
  if (ties != tie_model::davidson) return result;
  double const tie_first = times_exp(n.all(), tie + first), tie_second = times_exp(n.all(), tie + second);
  result.worth +=
      (times_exp(n.first, tie) - times_exp(n.second, tie) + times_exp(n.tie, second) - times_exp(n.tie, first)) / 2;
  result.worth_worth += (tie_first + tie_second) / 4;
  result.tie = times_exp(n.tie, first) + times_exp(n.tie, second) - times_exp(n.first + n.second, tie);
  result.worth_tie = (tie_second - tie_first) / 2;
  result.tie_tie = tie_first + tie_second;
  return result;
}
