#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "choices.hpp"
#include "likelihood.hpp"
#include "prior.hpp"

/// The maximum of the likelihood, or of its product with the prior.
struct worth_fit {
  struct tie_parameter {
    std::string name;  ///< tie2, tie3 and so on of Davidson's model, theta of Rao and Kupper's
    double value, standard_error;
  };
  std::vector<double> worth;           ///< relative to the zero item
  std::vector<double> standard_error;  ///< of that difference, from the observed information; empty if not wanted
  std::vector<tie_parameter> ties;     ///< of those that were seen
  double log_likelihood = 0;           ///< of the data, without multinomial coefficients
  fit_position position;               ///< of all vertices, for further fits to begin with
};

struct fit_settings {
  std::size_t zero_item = 0;
  /// Standard errors need the inverse of a dense matrix and are left out if there are more items.
  std::size_t most_with_errors = 2000;
  bool wants_errors = true;
  fit_position const* start = nullptr;  ///< of a fit to the same choices with other counts
};

/// The counts have to satisfy Hunter's condition (see win_graph.hpp), or there has to be a prior. Throws an input_error
/// where a parameter of ties has no maximum, or numbers cannot resolve the worths.
worth_fit fit_worths(choices const& terms, std::span<double const> counts, prior const& before,
                     fit_settings const& settings);
