#include "step_reward.hpp"

namespace {

constexpr Eigen::Index inputs = point_mass::features;

}  // namespace

step_reward::step_reward(Eigen::Index width, std::mt19937_64& random)
    : width_{width}, weights_{Eigen::VectorXf::Zero(width * (inputs + 1) + width + 1)} {
  std::uniform_real_distribution<float> uniform{-1, 1};
  // The rewards begin at 0.
  for (float& weight : weights_.head(width * (inputs + 1))) weight = uniform(random);
}

step_reward::pass step_reward::forward(point_mass::step_features const& steps) const {
  Eigen::Map<Eigen::MatrixXf const> const in{weights_.data(), width_, inputs + 1};
  pass result;
  result.hidden.noalias() = in.leftCols<inputs>() * steps;
  result.hidden = (result.hidden.colwise() + in.col(inputs)).array().tanh();
  result.reward.noalias() = result.hidden.transpose() * weights_.segment(width_ * (inputs + 1), width_);
  result.reward.array() += weights_(weights_.size() - 1);
  return result;
}

Eigen::VectorXf step_reward::gradient(point_mass::step_features const& steps, pass const& forward,
                                      Eigen::VectorXf const& d_reward) const {
  Eigen::VectorXf gradient(weights_.size());
  Eigen::MatrixXf d_hidden = weights_.segment(width_ * (inputs + 1), width_) * d_reward.transpose();
  d_hidden.array() *= 1 - forward.hidden.array().square();
  Eigen::Map<Eigen::MatrixXf> d_in{gradient.data(), width_, inputs + 1};
  d_in.leftCols<inputs>().noalias() = d_hidden * steps.transpose();
  d_in.col(inputs) = d_hidden.rowwise().sum();
  gradient.segment(width_ * (inputs + 1), width_).noalias() = forward.hidden * d_reward;
  gradient(gradient.size() - 1) = d_reward.sum();
  return gradient;
}
