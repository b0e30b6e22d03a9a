#pragma once

#include <span>

#include "rankings.hpp"

/// The log-likelihood of rankings without ties at these worths, by prefopt: one group of a batch is one ranking.
double plackett_luce_likelihood(rankings const& data, std::span<double const> worth);
