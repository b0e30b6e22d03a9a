#pragma once

#include <cstdint>
#include <string>
#include <vector>

/// A loss with what goes with it. The accuracy is a share of pairs; the best response's probability is there with list
/// losses only.
struct loss_metrics {
  double loss = 0, accuracy = 0, margin = 0, best_probability = 0;
};

/// Which of them there are. There is no accuracy, and no margin, of completions that nothing is compared with.
struct known_metrics {
  bool accuracy = true, best_probability = false;
};

/// In one line.
std::string described(loss_metrics const& metrics, known_metrics known);

enum class training_phase : std::uint32_t { sft, preference };

/// One epoch. During sft the loss is the mean of -log p a byte of the best completions, weighted by their records'
/// weights and 0 if all are 0, and there is no accuracy.
/// Epoch 0 of the preference phase is the policy before it: nothing was trained.
struct epoch_metrics {
  training_phase phase;
  std::uint32_t epoch;
  loss_metrics training, held_out;
};

/// The rows as CSV with a header; numbers in the shortest form that reads back the same.
std::string metrics_csv(std::vector<epoch_metrics> const& rows, known_metrics known);

struct interval {
  double low, high;
};

/// Wilson's 95 % interval for a proportion seen in `count` trials.
interval wilson_interval(double proportion, double count);
