#pragma once

#include "ranks.hpp"

/// The program, over ranks or in one process. Returns the exit status; throws for what went wrong.
int run_rl_loop(int argc, char** argv, ranks const& all);
