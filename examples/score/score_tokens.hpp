#pragma once

#include "token_command.hpp"

/// Scores a file of tokens.
void score_tokens(token_command const& command);
