#pragma once

#include <string>

#include "loss_catalog.hpp"

/// The losses of a kind as text for --help and --losses: of each its formula, parameters, columns and source.
std::string loss_table(loss_kind kind);
