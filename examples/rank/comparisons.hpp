#pragma once

#include <optional>
#include <string>
#include <vector>

#include "column_table.hpp"
#include "rankings.hpp"

struct comparison_reading {
  bool has_ties = false;          ///< whether battles may be tied
  std::optional<std::string> by;  ///< a column, each of whose texts has comparisons of its own
};

/// Comparisons of each category, in the order of the rows; of one without a name where there are no categories.
struct comparison_categories {
  struct category {
    std::string name;
    rankings comparisons;
  };
  std::vector<category> categories;
  std::vector<std::string> notes;  ///< of columns that were not read
};

/// Reads `winner,loser[,count]` (columns in any order; count is a number >= 0, by default 1; a row of count 0 names its
/// items and counts for nothing), or battles (see battle_columns.hpp; with a count if wanted, and further columns). The
/// items come in the order of the rows, a row's winner, or first item, before the other. Throws an input_error.
comparison_categories read_comparisons(column_table& file, comparison_reading const& reading);
