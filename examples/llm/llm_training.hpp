#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <vector>

#include "adapter_policy.hpp"
#include "head_policy.hpp"
#include "llm_command.hpp"
#include "ranks.hpp"
#include "results_folder.hpp"
#include "token_data.hpp"
#include "training_metrics.hpp"

/// Before training and after it.
struct before_after {
  double before = 0, after = 0;
};

struct llm_result {
  bool is_done = true;         ///< otherwise --stop-after has ended the run, and nothing below is known
  loss_metrics before, after;  ///< on what is held out
  before_after mean_accuracy;  ///< how often the mean log-prob of a token prefers the better answer; or NaN
  double kl = 0;               ///< KL(policy || reference), a token of the held-out answers
  std::string counted;         ///< what the accuracy is a share of: pairs, or completions
  std::size_t pairs = 0, groups = 0, prompts = 0;  ///< held out: so many of them, their groups and prompts
  double trials = 0;                               ///< as many groups of prompts of their own would tell as much
  std::vector<double> reliability;                 ///< of each annotator, with lcpo
  std::vector<std::size_t> held_out;               ///< records
  std::vector<double> held_out_logp;               ///< of their candidates, under the policy
};

/// What a run's log-probs depend on: the model by name and checksum, and the text that its sequences are made by.
struct model_identity {
  std::string model;  ///< checksum of the file, in words
  prefopt::data_checksum data;
};

/// Trains as asked, and leaves checkpoint and metrics in the folder, which it takes. Takes up the checkpoint that is there if
/// `command.resume`; the run then ends with the same bits as one that was never stopped. Every rank calls, with the same
/// command and data; the parameters are the same for any number of ranks.
llm_result train_llm(llm_command const& command, token_data const& data, adapter_policy& policy,
                     model_identity const& identity, results_folder& folder, ranks const& all);
llm_result train_llm(llm_command const& command, token_data const& data, head_policy& policy,
                     model_identity const& identity, results_folder& folder, ranks const& all);

/// Throws input_error for options and data that do not go together, before any work is done.
void check_llm_training(llm_command const& command, token_data const& data);
