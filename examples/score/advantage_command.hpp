#pragma once

#include <optional>
#include <prefopt/token/advantages.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "score_input.hpp"

/// What the command line asks for with --advantages.
struct advantage_command : score_input {
  std::string mode;  ///< one of the library's, or gdpo
  prefopt::advantage_options options;
  std::optional<double> batch_epsilon;  ///< of gdpo
  std::vector<double> weights;          ///< of gdpo, one a reward; none: all 1
  bool whitens = false;
  std::vector<std::string> notes;  ///< lines for the user
};

/// The mode that is not among the library's: of several rewards.
inline constexpr std::string_view of_several = "gdpo";

/// Whether the mode adds one to what it divides by.
bool has_epsilon(std::string const& mode);

/// Reads the command line; nothing where --help has been answered. Throws input_error.
std::optional<advantage_command> parse_advantage_command(int argc, char** argv);
