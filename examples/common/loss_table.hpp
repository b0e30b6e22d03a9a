#pragma once

#include <string>

/// The losses as text for --help and --list: of each its formula, parameters, columns and source.
std::string loss_table();
