#pragma once

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>

#include "exact_sum.hpp"
#include "ranks.hpp"

/// The gradient of a batch, of which each record's is added as it comes. Each number is rounded to a multiple of 2^-40
/// first, so that the sum is the same in any order, whichever rank has which record. Eigen's own arrays are aligned: of
/// others, where the vectors begin, and so the rounding, would depend on the address.
class gradient_sum {
 public:
  explicit gradient_sum(std::size_t parameters)
      : sum_{Eigen::ArrayXd::Zero(static_cast<Eigen::Index>(parameters))}, step_{sum_.size()} {}

  void add(std::span<float const> gradient) {
    std::transform(sum_.begin(), sum_.end(), gradient.begin(), sum_.begin(),
                   [](double sum, float own) { return sum + rounded_for_sum(static_cast<double>(own)); });
  }

  /// Of all ranks, and the norm of it; begins a new sum. What is longer than `longest` is scaled to it.
  double take(ranks const& all, double longest) {
    all.sum({sum_.data(), static_cast<std::size_t>(sum_.size())});
    double const norm = std::sqrt(sum_.square().sum());
    step_ = ((norm > longest ? longest / norm : 1) * sum_).cast<float>();
    sum_.setZero();
    return norm;
  }

  /// What was taken.
  Eigen::VectorXf const& step() const { return step_; }

 private:
  Eigen::ArrayXd sum_;
  Eigen::VectorXf step_;
};
