#pragma once

#include <optional>
#include <prefopt/contract/parameter_values.hpp>
#include <prefopt/engine/evaluate_tokens.hpp>
#include <string>
#include <vector>

#include "score_input.hpp"

/// What the command line asks for with --tokens.
struct token_command : score_input {
  explicit token_command(prefopt::any_token_loss const& standard) : loss{standard} {}

  std::string name;                      ///< of the preset or surrogate
  prefopt::parameter_values parameters;  ///< all of it, given or by default
  prefopt::any_token_loss loss;
  std::optional<double> denominator;
  std::vector<std::string> notes;  ///< lines for the user
};

/// Reads the command line; nothing where --help or --losses has been answered. Throws input_error or
/// std::invalid_argument.
std::optional<token_command> parse_token_command(int argc, char** argv);
