#pragma once

#include <cmath>
#include <cstddef>
#include <numbers>

/// A learning rate that grows in a straight line over the first steps and then falls along a half cosine, to almost 0 at
/// the last step.
struct learning_rate_schedule {
  double highest;
  std::size_t steps, warm_up;

  /// Of the step that comes after so many.
  double after(std::size_t done) const {
    if (done < warm_up) return highest * static_cast<double>(done + 1) / static_cast<double>(warm_up);
    double const part = static_cast<double>(done - warm_up) / static_cast<double>(steps - warm_up);
    return highest * 0.5 * (1 + std::cos(std::numbers::pi * part));
  }
};
