#pragma once

#include <prefopt/loss/any.hpp>
#include <string>
#include <vector>

#include "preference.hpp"

/// Throws input_error if the loss needs a field that no record has.
void check_fields(preference_set const& data, std::string const& path, prefopt::any_pair_loss const& loss);

/// One line each for the fields that the loss does not read, and for those that nothing reads.
std::vector<std::string> unread_fields(preference_set const& data, prefopt::any_pair_loss const& loss);
