#pragma once

#include "csv_table.hpp"
#include "rankings.hpp"

/// Reads `winner,loser[,count]` (columns in any order; count is a number >= 0, by default 1; a row of count 0 names its
/// items and counts for nothing). The items come in the order of the rows, a row's winner before its loser. Throws an
/// input_error.
rankings read_comparisons(csv_table& file);
