#pragma once

#include "score_command.hpp"

/// Scores a file of single completions.
void score_unpaired(score_command const& command);
