#pragma once

#include "ranks.hpp"

/// The whole program but for its errors: reads the command line, the data and the model, trains, writes the adapter and
/// prints the table. Returns the exit status. Every rank calls; the first one writes.
int run_llm(int argc, char** argv, ranks const& all);
