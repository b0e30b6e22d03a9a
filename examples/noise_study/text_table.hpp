#pragma once

#include <string>
#include <vector>

/// Rows of cells as aligned columns: the first to the left, the others to the right.
std::string text_table(std::vector<std::vector<std::string>> const& rows);

/// printf's %.3f with so many decimals.
std::string decimals(double value, int count = 3);
