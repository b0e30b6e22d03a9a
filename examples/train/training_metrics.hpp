#pragma once

#include <cstdint>
#include <string>
#include <vector>

/// A loss with the accuracy and the margin that go with it.
struct pair_metrics {
  double loss = 0, accuracy = 0, margin = 0;
};

enum class training_phase : std::uint32_t { sft, preference };

/// One epoch. During sft the loss is the mean of -log p a byte of the chosen completions, and there is no accuracy.
/// Epoch 0 of the preference phase is the policy before it: nothing was trained.
struct epoch_metrics {
  training_phase phase;
  std::uint32_t epoch;
  pair_metrics training, held_out;
};

/// The rows as CSV with a header; numbers in the shortest form that reads back the same.
std::string metrics_csv(std::vector<epoch_metrics> const& rows);

struct interval {
  double low, high;
};

/// Wilson's 95 % interval for a proportion seen in `count` trials.
interval wilson_interval(double proportion, double count);
