#pragma once

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include "exact_sum.hpp"
#include "ranks.hpp"

/// The gradient of a batch, of which each record's is added as it comes. Each number is rounded to a multiple of 2^-40
/// first, so that the sum is the same in any order, whichever rank has which record.
class gradient_sum {
 public:
  explicit gradient_sum(std::size_t parameters) : sum_(parameters), step_(static_cast<Eigen::Index>(parameters)) {}

  void add(std::span<float const> gradient) {
    std::ranges::transform(sum_, gradient, sum_.begin(),
                           [](double sum, float own) { return sum + rounded_for_sum(static_cast<double>(own)); });
  }

  /// Of all ranks, and the norm of it; begins a new sum. What is longer than `longest` is scaled to it.
  double take(ranks const& all, double longest) {
    all.sum(sum_);
    Eigen::Map<Eigen::ArrayXd> sum{sum_.data(), step_.size()};
    double const norm = std::sqrt(sum.square().sum());
    step_ = ((norm > longest ? longest / norm : 1) * sum).cast<float>();
    sum.setZero();
    return norm;
  }

  /// What was taken.
  Eigen::VectorXf const& step() const { return step_; }

 private:
  std::vector<double> sum_;
  Eigen::VectorXf step_;
};
