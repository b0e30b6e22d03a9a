#pragma once

#include <string>
#include <vector>

#include "fitted_category.hpp"

/// Makes the folder, and throws an input_error if it cannot be written: before anything is computed.
void prepare_pictures(std::string const& folder);

/// Draws a category's worths or ratings with intervals, the best at the top, into the folder: ranking.csv has the numbers,
/// ranking.gnuplot the script; with several categories ranking_1.csv and so on. Returns what became of it, in one line.
std::string draw_ranking(fitted_category const& category, std::size_t number, rank_command const& command);
