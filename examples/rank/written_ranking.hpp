#pragma once

#include <optional>
#include <string>
#include <vector>

#include "text_lines.hpp"

/// A ranking as it stands in a line.
struct written_ranking {
  std::optional<double> count;                   ///< finite, >= 0
  std::vector<std::vector<std::string>> places;  ///< from the best on; several items in one place have no order
};

/// `a > b > c`, `12: a > b = c`: blanks around a name are trimmed; a name in double quotes is taken as it is, "" being
/// a quote inside it. Throws an input_error.
written_ranking parse_ranking(text_line const& line);

/// What stands between the count and the alternatives.
enum class order_notation { count_colon, count_comma };

/// `12: 3,1,{2,4}`, the notation of PrefLib, or `12,3,1,{2,4}`, its older one. Throws an input_error.
written_ranking parse_preflib_order(text_line const& line, order_notation notation);
