#pragma once

#include <optional>
#include <prefopt/batch/options.hpp>
#include <string>
#include <vector>

#include "loss_choice.hpp"

/// What the command line asks for.
struct score_command {
  loss_choice loss;  // of lists, if the file is one of lists
  bool single_precision = false;
  std::vector<double> reliability;  // one for all pairs, or one per annotator
  std::vector<std::string> ignored_columns;
  prefopt::on_invalid non_finite = prefopt::on_invalid::error;
  prefopt::on_invalid empty = prefopt::on_invalid::error;
  std::string file = "-";
};

/// Reads the command line; nothing where --help or --losses has been answered. Throws input_error or
/// std::invalid_argument.
std::optional<score_command> parse_score_command(int argc, char** argv);
