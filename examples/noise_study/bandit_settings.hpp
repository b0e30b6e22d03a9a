#pragma once

#include <cstddef>
#include <cstdint>

/// How the bandits are set up, and how the methods are trained on them.
struct bandit_settings {
  std::uint64_t first_seed = 1, seeds = 10;
  std::size_t steps = 600, contexts = 2048, batch = 64, width = 64;
  double learning_rate = 5e-4, tau = 0.8, beta_reward = 0.5;
};
