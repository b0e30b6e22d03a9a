#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "bandit_settings.hpp"

struct study_command {
  std::vector<std::string> parts;  ///< bandit, rankings, flips, reliability: those wanted
  bandit_settings bandit;
  std::size_t repetitions = 40;  ///< of rankings and flips
  std::size_t flipped_pairs = 16000, told_pairs = 200'000;
  std::size_t threads = 1;
  std::string out = "noise-study";

  bool wants(std::string const& part) const;
};

/// Nothing where --help has been answered. Throws an input_error.
std::optional<study_command> parse_study_command(int argc, char** argv);
