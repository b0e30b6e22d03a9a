#pragma once

#include <string>

#include "bandit_study.hpp"

/// Of every corruption a table: the mean WinMass of every method at every strength, with 95 % intervals.
std::string win_mass_tables(bandit_results const& results);
