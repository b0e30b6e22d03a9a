#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "csv_table.hpp"

/// How often one item won against another.
struct wins {
  std::size_t winner, loser;
  double count;
};

/// Who was compared with whom and won.
struct comparisons {
  std::vector<std::string> items;  ///< in the order of the rows, a row's winner before its loser
  std::vector<wins> decided;       ///< each winner and loser once, by winner and loser; counts > 0
  std::size_t rows = 0;
  double total = 0;  ///< sum of the counts
};

/// Reads `winner,loser[,count]` (columns in any order; count is a number >= 0, by default 1; a row of count 0 names its
/// items and counts for nothing). Throws an input_error.
comparisons read_comparisons(csv_table& file);
