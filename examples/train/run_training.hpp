#pragma once

#include "ranks.hpp"

/// The whole program but for its errors: reads the command line and the data, trains, and prints the table. Returns the
/// exit status. Every rank calls; the first one writes.
int run_training(int argc, char** argv, ranks const& all);
