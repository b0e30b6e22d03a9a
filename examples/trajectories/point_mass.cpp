#include "point_mass.hpp"

#include <cstddef>

namespace point_mass {

Eigen::Matrix4Xf random_starts(Eigen::Index count, std::mt19937_64& random) {
  std::uniform_real_distribution<float> uniform{-1, 1};
  Eigen::Matrix4Xf starts = Eigen::Matrix4Xf::Zero(4, count);
  for (float& coordinate : starts.topRows<2>().reshaped()) coordinate = uniform(random);
  return starts;
}

std::vector<step_features> roll_out(policies const& each, Eigen::Matrix4Xf const& starts) {
  constexpr float time_step = 0.1F, drag = 0.2F;
  std::vector<step_features> all(static_cast<std::size_t>(horizon), step_features(features, starts.cols()));
  for (Eigen::Index i = 0; i < starts.cols(); ++i) {
    Eigen::Map<Eigen::Matrix<float, 2, 5> const> const feedback{each.col(i).data()};
    Eigen::Vector4f state = starts.col(i);
    for (auto& step : all) {
      Eigen::Vector2f const force = (feedback.leftCols<4>() * state + feedback.col(4)).array().tanh();
      step.col(i) << state, force;
      state.tail<2>() += time_step * (force - drag * state.tail<2>());
      state.head<2>() += time_step * state.tail<2>();
    }
  }
  return all;
}

Eigen::VectorXf true_reward(step_features const& steps) {
  Eigen::Vector2f const goal{0.6F, -0.4F};
  Eigen::VectorXf const distance = (steps.topRows<2>().colwise() - goal).colwise().norm();
  Eigen::VectorXf const force = steps.bottomRows<2>().colwise().squaredNorm();
  return -distance - 0.05F * force;
}

}  // namespace point_mass
