#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "preset.hpp"

/// All samples of a step, of all ranks: `samples` a group, their tokens one after the other.
struct step_rewards {
  std::vector<double> token_reward;   ///< what a token costs or earns: less the KL; the last also the reward
  std::vector<double> value;          ///< of the critic, before each token
  std::vector<std::int64_t> offsets;  ///< of each sample's tokens
  std::size_t samples;
};

struct step_advantages {
  std::vector<double> advantage;  ///< of each token
  std::vector<double> gain;       ///< what the critic should have said; empty without one
};

/// By the preset's mode; with a critic, generalized advantage estimates. Whitened over all tokens where the preset says so.
step_advantages advantages_of(step_rewards const& rewards, preset const& of);
