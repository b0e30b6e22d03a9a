#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

/// A prompt, what is right, and what a bad teacher says instead.
struct exercise {
  std::string prompt, reference;
  std::vector<std::string> wrong;
};

/// What the policy is to learn, with a reward that can be verified.
struct task {
  std::string_view name, about;
  std::vector<exercise> exercises;
  double (*reward)(std::string_view completion, std::string_view reference);
  std::size_t longest;  ///< tokens that a completion may have, its end included
  /// How the policy is brought off the ground, before any reward: so many steps of imitation, of answers that are right
  /// so often.
  std::size_t warm_up_steps;
  double right_share;
  std::size_t steps;  ///< of a loop, by default
  double target;      ///< a reward worth reaching
};

/// "12+7=", "19": 1 for the right number and nothing else, 0 otherwise.
task arithmetic_task();
/// "fox ball:", "the fox hides the old ball": sentence BLEU, the setting of BLEUBERI.
task bleu_task();

/// Throws input_error, naming what is known.
task task_of(std::string_view name);
