#pragma once

#include <string>

#include "comparison.hpp"

/// Throws an input_error unless gnuplot is there and the file's name ends in .svg or .png.
void check_picture(std::string const& file);

/// Bars of each case's throughput: the limit's, prefopt's, torch's. Throws an input_error if gnuplot cannot draw it.
void draw_comparison(comparison_report const& report, std::string const& file);
