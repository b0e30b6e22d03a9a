#pragma once

#include <optional>
#include <prefopt/batch/options.hpp>
#include <vector>

#include "loss_choice.hpp"
#include "score_input.hpp"

/// What the command line asks for.
struct score_command : score_input {
  loss_choice loss;                 // of lists, if the file is one of lists
  std::vector<double> reliability;  // one for all pairs, or one per annotator
  prefopt::on_invalid empty = prefopt::on_invalid::error;
};

/// Reads the command line; nothing where --help or --losses has been answered. Throws input_error or
/// std::invalid_argument.
std::optional<score_command> parse_score_command(int argc, char** argv);
