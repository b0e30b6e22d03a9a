#pragma once

#include <Eigen/Core>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "gru_policy.hpp"
#include "preset.hpp"
#include "prompt_split.hpp"
#include "ranks.hpp"
#include "rl_settings.hpp"
#include "rl_training.hpp"
#include "task.hpp"

/// The mean reward of a policy's samples for each prompt that the loop samples for, and for each that nothing learns from.
struct judgement {
  std::vector<double> training, held_out;
};

/// What all runs of a seed begin with.
struct rl_start {
  prompt_split split;
  gru_policy<float> policy;
  judgement reward;

  rl_start(task const& of, rl_settings const& settings, ranks const& all);
};

/// A prompt that nothing learns from, and what was first made of it and then.
struct shown_completion {
  std::string prompt, reference, before, after;
};

struct rl_run {
  std::string preset;
  std::uint64_t seed = 0;
  std::vector<step_metrics> curve;
  judgement before, after;
  std::vector<shown_completion> shown;
  Eigen::VectorXf weights;

  /// Over the curve: how fast it has learnt, in one number.
  double mean_reward() const;
  /// From the start, over the last 10 steps.
  double last_kl() const;
  /// The first step at which the mean reward of the last 10 has reached it, counted from 1.
  std::optional<std::size_t> steps_to(double reward) const;
};

/// Calls on_step(steps done, what the step saw).
rl_run run_preset(task const& of, rl_start const& start, preset const& by, rl_settings const& settings,
                  ranks const& all, std::function<void(std::size_t, step_metrics const&)> const& on_step);
