#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "preference.hpp"
#include "train_command.hpp"
#include "training_metrics.hpp"

struct training_result {
  pair_metrics before, after;  ///< on the held-out pairs
  std::size_t held_out_pairs;
  std::vector<double> reliability;  ///< of each annotator, with lcpo
};

/// Trains as asked and leaves checkpoint and metrics in the folder `command.out`. Takes up the checkpoint that is there
/// if `command.resume`; a resumed run ends with the same bits as one that was never stopped.
training_result train(train_command const& command, preference_set const& data);
