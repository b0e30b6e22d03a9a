#include "score_columns.hpp"

#include <cmath>

std::string_view expectation(double value, score_column const& column, score_command const& command) {
  bool const finite = std::isfinite(value);
  if (!finite && command.non_finite == prefopt::on_invalid::error) {
    return "a finite number (--non-finite skip or propagate allows others)";
  }
  if (column.kind == prefopt::columns::length) {
    if (value < 0 || (finite && value != std::trunc(value))) return "a whole number of tokens";
    if (value == 0 && command.empty == prefopt::on_invalid::error) {
      return "at least one token (--empty skip or propagate allows none)";
    }
    return "";
  }
  switch (column.range) {
    case prefopt::value_range::any:
      return "";
    case prefopt::value_range::weight:
      if (!finite && command.non_finite == prefopt::on_invalid::propagate) {
        return "a finite number >= 0 (--non-finite skip allows others)";
      }
      return value < 0 ? "a number >= 0" : "";
    case prefopt::value_range::non_negative:
      return value < 0 ? "a number >= 0" : "";
    case prefopt::value_range::probability:
      return value < 0 || value > 1 ? "a number from 0 to 1" : "";
  }
  return "";
}
