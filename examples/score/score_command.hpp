#pragma once

#include <optional>
#include <prefopt/loss/any.hpp>
#include <prefopt/options.hpp>
#include <string>
#include <vector>

/// What the command line asks for.
struct score_command {
  std::string loss, base;
  prefopt::parameter_values parameters;
  bool single_precision = false;
  std::vector<double> reliability;  // one for all pairs, or one per annotator
  std::vector<std::string> ignored_columns;
  prefopt::on_invalid non_finite = prefopt::on_invalid::error;
  prefopt::on_invalid empty = prefopt::on_invalid::error;
  std::string file = "-";
};

/// Reads the command line; nothing where --help or --list has been answered. Every parameter of every loss in
/// prefopt::pair_loss_cards() is an option. Throws an input_error.
std::optional<score_command> parse_score_command(int argc, char** argv);
