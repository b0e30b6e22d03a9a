#pragma once

#include <Eigen/Core>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

/// AdamW (Loshchilov and Hutter 2019) with its usual constants.
class adamw {
 public:
  adamw(Eigen::Index parameters, float learning_rate)
      : first_{Eigen::ArrayXf::Zero(parameters)},
        second_{Eigen::ArrayXf::Zero(parameters)},
        learning_rate_{learning_rate} {}

  void update(Eigen::Ref<Eigen::VectorXf> parameters, Eigen::Ref<Eigen::VectorXf const> const& gradient) {
    constexpr float decay_1 = 0.9F, decay_2 = 0.999F, epsilon = 1e-8F, weight_decay = 0.01F;
    ++steps_;
    first_ = decay_1 * first_ + (1 - decay_1) * gradient.array();
    second_ = decay_2 * second_ + (1 - decay_2) * gradient.array().square();
    float const unbias_1 = 1 / (1 - std::pow(decay_1, steps_)), unbias_2 = 1 / (1 - std::pow(decay_2, steps_));
    parameters.array() -= learning_rate_ * (unbias_1 * first_ / ((unbias_2 * second_).sqrt() + epsilon) +
                                            weight_decay * parameters.array());
  }

  void set_learning_rate(float rate) { learning_rate_ = rate; }

  /// Both moments and the number of steps, for a checkpoint.
  std::vector<std::span<float>> state() {
    auto const size = static_cast<std::size_t>(first_.size());
    return {{first_.data(), size}, {second_.data(), size}, {&steps_, 1}};
  }

 private:
  Eigen::ArrayXf first_, second_;
  float learning_rate_, steps_ = 0;
};
