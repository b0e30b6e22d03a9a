#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "prior.hpp"
#include "rankings.hpp"
#include "tie_model.hpp"

/// Worths as ratings: points more are odds of the base to one.
struct elo_scale {
  double base = 10, points = 400, anchor_rating = 1000;
};

/// What the command line asks for.
struct rank_command {
  std::string file = "-";
  bool has_rankings = false;
  std::optional<std::string> by;
  unnamed others = unnamed::absent;

  tie_model ties = tie_model::none;
  prior before;

  std::optional<std::string> zero;
  std::optional<elo_scale> elo;
  std::size_t most_with_errors = 2000;
  std::size_t bootstrap_rounds = 0, threads = 1;
  std::uint64_t seed = 0;

  bool best_first = false;
  std::optional<std::string> picture;  ///< the folder for it
};

/// Nothing where --help has been answered. Throws an input_error.
std::optional<rank_command> parse_rank_command(int argc, char** argv);
