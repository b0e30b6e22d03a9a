#pragma once

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "token_task.hpp"

/// A host's gradient of the token task's loss against central differences in single parameters, extrapolated from two
/// steps. What the extrapolation changes bounds what it leaves; rounding is allowed for besides.
class gradient_check {
 public:
  explicit gradient_check(double step) : step_{step} {}

  /// loss_at(x) sets the parameter to x and returns the loss; the parameter is left at `value`.
  template <class Loss>
  void operator()(float value, float gradient, Loss&& loss_at) {
    auto const slope = [&](double h) {
      auto const above = static_cast<float>(value + h), below = static_cast<float>(value - h);
      return (loss_at(above) - loss_at(below)) / (static_cast<double>(above) - static_cast<double>(below));
    };
    double const near = slope(step_), far = slope(2 * step_);
    loss_at(value);
    double const difference = std::abs(near + (near - far) / 3 - static_cast<double>(gradient));
    double const tolerance = std::abs(near - far) / 3 + noise / step_;
    highest_ = std::max(highest_, std::abs(static_cast<double>(gradient)));
    largest_ = std::max(largest_, difference);
    allowed_ = std::max(allowed_, tolerance);
    agrees_ = agrees_ && difference <= tolerance;
  }

  /// True where all agreed and the gradient is not 0; prints by how much.
  [[nodiscard]] bool passed(char const* name) const {
    bool const passes = agrees_ && highest_ > 0;
    std::printf("%s: gradient up to %.1e, finite differences differ by up to %.1e (allowed %.1e)%s\n", name, highest_,
                largest_, allowed_, passes ? "" : ": WRONG");
    return passes;
  }

 private:
  // A sequence's log-prob is the sum of 11 of about -ln 16. Rounded to a unit in the last place, it moves the loss by
  // no more than that, for slopes below 1.
  inline static double const noise =
      std::ldexp((token_task::length - 1) * std::log(static_cast<double>(token_task::vocabulary)), -23);

  double step_, highest_ = 0, largest_ = 0, allowed_ = 0;
  bool agrees_ = true;
};
