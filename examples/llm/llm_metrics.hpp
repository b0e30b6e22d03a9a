#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "training_metrics.hpp"

/// One step of training; step 0 is the model before it. The held-out part is judged before and after each epoch.
struct step_metrics {
  std::uint64_t step = 0, epoch = 0;
  loss_metrics training{}, held_out{};
  double gradient_norm = 0, learning_rate = 0;
  std::uint64_t has_held_out = 0;
};

/// The rows as CSV with a header; numbers in the shortest form that reads back the same. What is not known is empty.
std::string step_metrics_csv(std::vector<step_metrics> const& rows, bool has_accuracy);

/// Draws metrics.csv of the directory. Returns what became of it, in one line.
std::string draw_step_curves(std::string const& directory);
