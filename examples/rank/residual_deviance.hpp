#pragma once

#include <cstddef>
#include <span>

#include "choices.hpp"

/// Twice the log-likelihood ratio to the model in which each pair of items has probabilities of its own (the residual
/// deviance of the counts). For comparisons of two items.
struct residual_deviance {
  double value = 0;
  std::size_t pairs = 0;
  std::size_t degrees_of_freedom = 0;
};
residual_deviance deviance_of(choices const& comparisons, std::span<double const> counts, double log_likelihood,
                              std::size_t parameters);
