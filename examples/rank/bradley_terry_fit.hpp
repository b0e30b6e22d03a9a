#pragma once

#include <cstddef>
#include <vector>

#include "comparisons.hpp"

/// The maximum of the likelihood: item i wins against j with probability 1 / (1 + e^-(worth_i - worth_j)).
struct bradley_terry_fit {
  std::vector<double> worth;           ///< relative to the zero item
  std::vector<double> standard_error;  ///< of that difference, from the observed information; empty if not wanted
  double log_likelihood = 0;           ///< without binomial coefficients
};

/// The comparisons have to satisfy Ford's condition (see win_graph.hpp). Standard errors need the inverse of a dense
/// matrix and are left out if there are more items than `most_with_errors`.
bradley_terry_fit fit_bradley_terry(comparisons const& games, std::size_t zero_item, std::size_t most_with_errors);

/// Twice the log-likelihood ratio to the model in which each pair of items has a probability of its own (the residual
/// deviance of the binomial counts), and how many pairs that are.
struct residual_deviance {
  double value = 0;
  std::size_t pairs = 0;
};
residual_deviance deviance_of(comparisons const& games, bradley_terry_fit const& fit);
