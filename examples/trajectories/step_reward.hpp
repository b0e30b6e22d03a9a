#pragma once

#include <Eigen/Core>
#include <random>

#include "point_mass.hpp"

/// A model of the reward of a step: a network with one hidden layer of tanh.
class step_reward {
 public:
  /// The rewards of steps, and what `gradient` needs of the way there.
  struct pass {
    Eigen::MatrixXf hidden;
    Eigen::VectorXf reward;
  };

  step_reward(Eigen::Index width, std::mt19937_64& random);

  [[nodiscard]] pass forward(point_mass::step_features const& steps) const;

  /// By the weights, for a derivative of the loss by each step's reward.
  [[nodiscard]] Eigen::VectorXf gradient(point_mass::step_features const& steps, pass const& forward,
                                         Eigen::VectorXf const& d_reward) const;

  [[nodiscard]] Eigen::VectorXf& weights() { return weights_; }

 private:
  Eigen::Index width_;
  Eigen::VectorXf weights_;  ///< [inputs and a bias, hidden] and [hidden and a bias]
};
