#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <prefopt/token/kl_penalty.hpp>

/// How a loop goes, whatever its preset.
struct rl_settings {
  std::size_t steps = 0;                    ///< of sampling
  std::size_t groups = 16, samples = 8;     ///< prompts a step, completions a prompt
  std::size_t epochs = 2, minibatches = 2;  ///< passes over the samples of a step, updates in each
  double learning_rate = 0.003;
  std::optional<double> kl;                             ///< coefficient in the loss; not given: the preset's
  std::optional<prefopt::kl_estimator> kl_estimator{};  ///< not given: the preset's, or k3
  double kl_in_reward = 0;                              ///< coefficient of log pi - log pi_ref, taken from the reward
  std::size_t width = 96;                               ///< of the policy's state
  std::size_t warm_up = 0;                              ///< steps of imitation before
  std::uint64_t seed = 1;
};
