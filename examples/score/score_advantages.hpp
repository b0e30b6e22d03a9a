#pragma once

#include "advantage_command.hpp"

/// Makes advantages of a file of rewards.
void score_advantages(advantage_command const& command);
