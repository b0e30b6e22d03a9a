#pragma once

#include <cstddef>
#include <vector>

#include "rankings.hpp"

/// The maximum of the likelihood: of the items that are left, each is chosen next with a probability proportional to
/// e^worth. Of two items, i wins against j with probability 1 / (1 + e^-(worth_i - worth_j)), the Bradley-Terry model.
struct plackett_luce_fit {
  std::vector<double> worth;            ///< relative to the zero item
  std::vector<double> standard_error;   ///< of that difference, from the observed information; empty if not wanted
  double log_likelihood = 0;            ///< without multinomial coefficients
  double log_likelihood_of_equals = 0;  ///< with all worths the same
};

/// The rankings have to satisfy Hunter's condition (see win_graph.hpp). Standard errors need the inverse of a dense
/// matrix and are left out if there are more items than `most_with_errors`.
plackett_luce_fit fit_plackett_luce(rankings const& data, std::size_t zero_item, std::size_t most_with_errors);

/// Twice the log-likelihood ratio to the model in which each pair of items has a probability of its own (the residual
/// deviance of the binomial counts), and how many pairs that are. For comparisons of two items.
struct residual_deviance {
  double value = 0;
  std::size_t pairs = 0;
};
residual_deviance deviance_of(rankings const& comparisons, plackett_luce_fit const& fit);
