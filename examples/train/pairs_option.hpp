#pragma once

#include <CLI/CLI.hpp>
#include <prefopt/chain/group_pairs.hpp>
#include <string>

#include "loss_choice.hpp"

/// --pairs: which pairs are made of ranked responses, for pair losses.
CLI::Option* add_pairs_option(CLI::App& app, std::string& pairs);

/// By a name that the option has taken.
prefopt::pairing pairing_of(std::string const& pairs);

/// Throws input_error for a list loss that records have nothing for, and for one with pairs.
void check_list_loss(loss_choice const& choice, bool has_pairs);
