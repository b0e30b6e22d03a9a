#pragma once

#include "score_command.hpp"

/// Scores a file of groups of candidates: standard output and the summary. Throws input_error or std::invalid_argument.
void score_lists(score_command const& command);
