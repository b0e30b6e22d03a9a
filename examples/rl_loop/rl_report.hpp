#pragma once

#include <string>
#include <vector>

#include "rl_run.hpp"

/// Of one run, with intervals over prompts.
std::string run_report(rl_run const& run, double target);

/// Of runs of some presets with the same seeds, two or more, preset after preset: a table with intervals over seeds, and
/// which learn faster.
std::string comparison_report(std::vector<rl_run> const& runs, double target);
