#include "residual_deviance.hpp"

#include <algorithm>
#include <cmath>

residual_deviance deviance_of(choices const& comparisons, std::span<double const> counts, double log_likelihood,
                              std::size_t parameters) {
  std::size_t const free_of_each = has_parameters(comparisons.ties) && !comparisons.tie_sizes.empty() ? 2 : 1;
  residual_deviance deviance;
  double saturated = 0;  // log-likelihood of the observed proportions
  for (auto const& pair : std::span{comparisons.pairs}.first(comparisons.observed_pairs)) {
    auto const of_pair = counts.subspan(pair.count, 3);
    double const all = of_pair[0] + of_pair[1] + of_pair[2];
    ++deviance.pairs;
    for (double const count : of_pair) {
      if (count > 0) saturated += count * std::log(count / all);
    }
  }
  deviance.degrees_of_freedom = free_of_each * deviance.pairs - std::min(free_of_each * deviance.pairs, parameters);
  // With as many parameters as proportions the model is the saturated one, and the difference is rounding.
  if (deviance.degrees_of_freedom > 0) deviance.value = std::max(0.0, 2 * (saturated - log_likelihood));
  return deviance;
}
