#pragma once

#include <string>

#include "bandit_study.hpp"

/// Which of the claims on anchored and on listwise losses held in this run, as tables and verdicts.
std::string claims_report(bandit_results const& results);
