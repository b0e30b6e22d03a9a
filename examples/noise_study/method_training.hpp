#pragma once

#include <cstdint>

#include "bandit.hpp"
#include "method.hpp"

/// The problem's reference, trained on the problem's data by this method. The batches depend on the seed alone.
mlp_policy train_by(method const& by, bandit_problem const& problem, bandit_settings const& settings,
                    std::uint64_t seed);
