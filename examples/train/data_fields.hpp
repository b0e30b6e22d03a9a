#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "any_loss.hpp"
#include "preference.hpp"

/// Whether the loss is brought to the targets of the data, and not to their rewards.
bool takes_target(preference_set const& data, any_loss const& loss);

/// Whether a pair loss gets the further column c: one that it reads and the data have, or a target, which the difference
/// of the pair's rewards stands in for.
bool gives_further(preference_set const& data, any_loss const& loss, std::size_t c);

/// What it gets of a pair in that column.
double further_of(preference_set const& data, preference const& pair, std::size_t c);

/// Throws input_error if the loss needs a field that no record has, or cannot be computed on some record.
void check_fields(preference_set const& data, std::string const& path, any_loss const& loss);

/// One line each for what becomes of the fields that the loss does not read as one might expect.
std::vector<std::string> notes_on_fields(preference_set const& data, any_loss const& loss);
