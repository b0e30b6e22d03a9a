#pragma once

#include <string>

#include "bandit_study.hpp"

/// CSV with a header, numbers in the shortest form that reads back the same: a row for every run, and a row for every
/// mean with half the width of its 95 % interval.
std::string runs_csv(bandit_results const& results);
std::string means_csv(bandit_results const& results);
