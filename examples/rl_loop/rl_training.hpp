#pragma once

#include <cstddef>
#include <vector>

#include "adamw.hpp"
#include "gru_policy.hpp"
#include "preset.hpp"
#include "prompt_split.hpp"
#include "ranks.hpp"
#include "rl_settings.hpp"
#include "task.hpp"
#include "token_statistics.hpp"

/// What a step saw: its samples' mean reward and length, the mean of log pi - log pi_ref of their tokens, which estimates
/// the KL from the reference, and the means of what its updates report.
struct step_metrics {
  double reward = 0, length = 0, loss = 0, kl = 0, old_kl = 0, clipped_low = 0, clipped_high = 0, entropy = 0,
         gradient_norm = 0;
  double clip_share() const { return clipped_low + clipped_high; }
};

/// The loop: samples completions, asks for their rewards, and updates the policy by a preset.
///
/// Over ranks each has a share of a step's prompts, and each sample is drawn by a generator of its group's own. Rewards
/// and values are gathered, so that every rank computes the advantages of the whole step; what the loss divides by is of
/// all ranks. The gradient of a group is found by itself and rounded to a multiple of 2^-40, so that the sum over groups
/// and ranks has no rounding: any number of ranks has the same weights, bit for bit.
class rl_training {
 public:
  /// Keeps references to all of them but the start.
  rl_training(task const& of, prompt_split const& split, preset const& by, rl_settings const& settings,
              gru_policy<float> const& start, ranks const& all);

  step_metrics step();

  gru_policy<float> const& policy() const { return policy_; }

 private:
  void sample();
  void score(step_metrics& metrics);
  void update(std::size_t minibatch, step_metrics& metrics);
  double descend(std::vector<double>& gradient);

  task const& task_;
  prompt_split const& split_;
  preset const& preset_;
  rl_settings const& settings_;
  ranks const& all_;
  gru_policy<float> policy_;
  gru_policy<float> const reference_;
  adamw optimizer_;
  std::size_t steps_ = 0, first_ = 0;                                  ///< the first of this rank's groups among all
  std::vector<sample_group> groups_;                                   ///< of this rank
  std::vector<std::size_t> begins_;                                    ///< of the groups' tokens among this rank's
  std::vector<double> reward_;                                         ///< of this rank's samples
  std::vector<float> old_log_prob_, ref_log_prob_, advantage_, gain_;  ///< of their tokens
  std::vector<gru_policy<float>::pass> kept_;
};
