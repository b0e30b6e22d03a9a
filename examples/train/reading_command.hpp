#pragma once

#include <CLI/CLI.hpp>

#include "reading_options.hpp"

/// The options that say how data are read, which the command line binds to.
void add_reading_options(CLI::App& app, reading_options& reading);
