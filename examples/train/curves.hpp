#pragma once

#include <string>

/// Draws metrics.csv of the directory with gnuplot: curves.png, or curves.svg where gnuplot has no PNG. Returns what
/// became of it, in one line.
std::string draw_curves(std::string const& directory);
