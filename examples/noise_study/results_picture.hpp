#pragma once

#include <string>

/// Draws means.csv of the directory with gnuplot: results.png, or results.svg where gnuplot has no PNG. Returns what
/// became of it, in one line.
std::string draw_results(std::string const& directory);
