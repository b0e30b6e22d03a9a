#include "worth_fit.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "input_error.hpp"

namespace {

double sum_of(std::vector<double> const& values) { return std::accumulate(values.begin(), values.end(), 0.0); }

double dot(information::direction const& a, information::direction const& b) {
  double const worths = std::inner_product(a.worth.begin(), a.worth.end(), b.worth.begin(), 0.0);
  return std::inner_product(a.tie.begin(), a.tie.end(), b.tie.begin(), worths);
}

fit_position beginning(choices const& terms, likelihood const& objective, fit_position const* start) {
  bool const fits = start && start->ties.size() == objective.tie_sizes().size();
  if (fits) return *start;
  return {std::vector<worth>(terms.vertices), std::vector<double>(objective.tie_sizes().size())};
}

[[noreturn]] void refuse_unresolved() {
  throw input_error{
      "the worths cannot be resolved: some items are tied to the others by chances below what a number can hold, as "
      "their "
      "counts are too far apart"};
}

/// Where the gain that is left is nothing, but the way is not: no worths are the best.
[[noreturn]] void refuse_no_maximum() {
  throw input_error{
      "the likelihood has no maximum: the parameter of ties grows without end, as beside the ties too little was "
      "decided; with --prior ghost it has one"};
}

/// The length of a step of Newton's method. Along a step of this range log(1 + range) / range always gains (Bach 2010,
/// Sun and Tran-Dinh 2019); far from the maximum longer ones are tried, and taken where they gain enough.
double step_length(likelihood const& objective, fit_position const& at, information::direction const& step,
                   double range, double decrement) {
  double const safe = range > 0 ? std::log1p(range) / range : 1;
  if (range < 0.3) return safe;
  std::vector<double> const before = objective.factors(at, true);
  for (double length = 1; length > safe; length /= 2) {
    fit_position trial = at;
    trial.add(step, length);
    std::vector<double> const after = objective.factors(trial, true);
    double gain = 0;
    for (std::size_t i = 0; i < after.size(); ++i) gain += after[i] - before[i];
    if (gain >= length * decrement / 4) return length;
  }
  return safe;
}

}  // namespace

worth_fit fit_worths(choices const& terms, std::span<double const> counts, prior const& before,
                     fit_settings const& settings) {
  likelihood const objective{terms, counts, before};
  auto const& tie_sizes = objective.tie_sizes();
  std::size_t const beside_items = before.kind == prior::form::none ? 0 : 1, items = terms.vertices - beside_items;
  std::size_t const most_dense = std::min(settings.most_with_errors, items) + beside_items;  // whose sum does not wrap
  information curvature{terms.vertices, tie_sizes.size(), settings.zero_item, most_dense};
  fit_position at = beginning(terms, objective, settings.start);
  // A maximum that there is has steps that gain more than nothing, in this unit.
  double smallest_count = before.kind == prior::form::normal ? 1 / (before.size * before.size) : INFINITY;
  for (double const count : counts) {
    if (count > 0) smallest_count = std::min(smallest_count, count);
  }

  // The last step squares the error that is left, and this one is then below rounding.
  constexpr double close = 1e-9;
  // As many as the largest odds that a number holds take, with room.
  constexpr int most_steps = 5000;
  double range = INFINITY;
  for (int steps = 0; range > close; ++steps) {
    auto const gradient = objective.derivatives(at, curvature);
    if (!curvature.factorize()) refuse_unresolved();
    auto const step = curvature.solve(gradient);
    range = objective.range(step);
    double const decrement = dot(gradient, step);
    if (!std::isfinite(range) || steps == most_steps) refuse_unresolved();
    if (range > 0.1 && decrement < 1e-12 * smallest_count) {
      if (tie_sizes.empty()) refuse_unresolved();
      refuse_no_maximum();
    }
    at.add(step, step_length(objective, at, step, range, decrement));
  }

  worth_fit fit;
  fit.log_likelihood = sum_of(objective.factors(at, false));
  for (std::size_t item = 0; item < items; ++item) {
    fit.worth.push_back(at.worths[item] - at.worths[settings.zero_item]);
  }
  information::direction errors;
  if (settings.wants_errors) {
    objective.derivatives(at, curvature);
    if (!curvature.factorize()) refuse_unresolved();
    errors = curvature.standard_errors();
  }
  for (std::size_t i = 0; i < tie_sizes.size(); ++i) {
    // The standard error of a parameter's logarithm, by the slope of the logarithm.
    double const parameter = at.ties[i], error = errors.tie.empty() ? 0 : errors.tie[i];
    if (terms.ties == tie_model::davidson) {
      fit.ties.push_back({"tie" + std::to_string(tie_sizes[i]), std::exp(parameter), std::exp(parameter) * error});
    } else {
      double const theta = std::sqrt(1 + std::exp(parameter));
      fit.ties.push_back({"theta", theta, std::exp(parameter) / (2 * theta) * error});
    }
  }
  errors.worth.resize(std::min(errors.worth.size(), items));
  fit.standard_error = std::move(errors.worth);
  fit.position = std::move(at);
  return fit;
}
