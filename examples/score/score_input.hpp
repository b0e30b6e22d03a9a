#pragma once

#include <prefopt/batch/options.hpp>
#include <string>
#include <vector>

/// Which file is read, and how, whatever it holds.
struct score_input {
  std::string file = "-";
  std::vector<std::string> ignored_columns;
  bool single_precision = false;
  prefopt::on_invalid non_finite = prefopt::on_invalid::error;
};
