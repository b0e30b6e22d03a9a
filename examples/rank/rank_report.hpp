#pragma once

#include <string>
#include <vector>

#include "fitted_category.hpp"

/// The table on standard output: CSV, and comments with the parameters of ties and the log-likelihood.
std::string rank_table(std::vector<fitted_category> const& categories, rank_command const& command);

/// The summary on standard error.
void print_summary(fitted_category const& category, rank_command const& command);
