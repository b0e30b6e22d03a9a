#pragma once

#include <string>
#include <vector>

#include "rl_run.hpp"

/// A row a step of every run.
std::string curves_csv(std::vector<rl_run> const& runs);
/// A row a run.
std::string runs_csv(std::vector<rl_run> const& runs, double target);

/// Draws curves.csv of the directory: reward, KL and clip share of each preset, means over its seeds. Returns what became
/// of it, in one line.
std::string draw_curves(std::vector<rl_run> const& runs, std::string const& directory);
