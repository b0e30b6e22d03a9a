#pragma once

#include <chrono>
#include <cstddef>
#include <cstdio>
#include <string>

/// How fast tokens go through the model, and how long the rest will take. A token of training, forward and backward, is
/// as much work as three of a forward pass.
class work_meter {
 public:
  static constexpr double of_training = 3;

  explicit work_meter(double work) : work_{work} {}

  void add(std::size_t tokens, double work_of_each = 1) {
    tokens_ += static_cast<double>(tokens);
    done_ += work_of_each * static_cast<double>(tokens);
  }

  /// "412 tokens/s, 38 min left"
  std::string text() const {
    double const seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count();
    double const left = done_ > 0 && work_ > done_ ? seconds * (work_ - done_) / done_ : 0;
    char text[64];
    std::snprintf(text, sizeof text, left < 90 ? "%.0f tokens/s, %.0f s left" : "%.0f tokens/s, %.0f min left",
                  seconds > 0 ? tokens_ / seconds : 0, left < 90 ? left : left / 60);
    return text;
  }

 private:
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  double work_, tokens_ = 0, done_ = 0;
};
