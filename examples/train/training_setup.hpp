#pragma once

#include <string>

#include "checkpoint.hpp"
#include "comparable_records.hpp"
#include "holdout_split.hpp"
#include "preference.hpp"
#include "ranks.hpp"
#include "same_on_every_rank.hpp"
#include "train_command.hpp"

/// What a run's numbers depend on, but for how many epochs it has.
run_setup setup_of(train_command const& command, preference_set const& data, comparable_records const& records,
                   holdout_split const& split, std::string const& policy);

/// Throws input_error for the first value of a checkpoint that is another one now.
void check_same_setup(run_setup const& saved, run_setup const& now, std::string const& path);

/// Every rank calls.
void check_same_options_on_every_rank(train_command const& command, run_setup const& setup, ranks const& all);
