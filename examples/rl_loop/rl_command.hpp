#pragma once

#include <cstddef>
#include <optional>
#include <prefopt/engine/make_loss.hpp>
#include <string>
#include <vector>

#include "rl_settings.hpp"
#include "task.hpp"

struct rl_command {
  task of;
  std::vector<std::string> presets;  ///< one, or those that are compared
  bool compares = false;
  std::size_t seeds = 3, threads = 1;  ///< of a comparison
  prefopt::parameter_values parameters;
  rl_settings settings;
  double target = 0;
  std::string out;
};

/// Nothing where --help has been answered. Throws an input_error or std::invalid_argument for what makes no sense.
std::optional<rl_command> parse_rl_command(int argc, char** argv);
