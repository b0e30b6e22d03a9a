#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "preference.hpp"
#include "ranks.hpp"
#include "results_folder.hpp"
#include "train_command.hpp"
#include "training_metrics.hpp"

struct training_result {
  loss_metrics before, after;       ///< on what is held out
  std::string counted;              ///< what the accuracy is a share of: pairs, or completions
  std::size_t pairs, groups;        ///< held out: so many of them, and the groups that these are of
  std::size_t prompts;              ///< of these groups
  double trials;                    ///< as many groups of prompts of their own would tell as much
  std::vector<double> reliability;  ///< of each annotator, with lcpo
};

/// Trains as asked and leaves checkpoint and metrics in the folder, which it takes. Takes up the checkpoint that is there
/// if `command.resume`; a resumed run ends with the same bits as one that was never stopped. Every rank calls, with the
/// same command and data; the policy's weights are the same for any number of ranks.
training_result train(train_command const& command, preference_set const& data, results_folder& folder,
                      ranks const& all);
