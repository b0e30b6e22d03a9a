#pragma once

#include "score_command.hpp"

/// Scores a file of pairs: standard output and the summary. Throws input_error or std::invalid_argument.
void score_pairs(score_command const& command);
