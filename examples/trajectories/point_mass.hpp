#pragma once

#include <Eigen/Core>
#include <random>
#include <vector>

/// The robot: a mass on a plane, pushed by a force. What its task is, only the teacher knows: to reach a goal and to
/// stay there, with little force.
namespace point_mass {

inline constexpr Eigen::Index policy_parameters = 10, horizon = 60, features = 6;

/// Of one step a column: position, velocity and force, two rows each.
using step_features = Eigen::Matrix<float, features, Eigen::Dynamic>;

/// Feedback from position, velocity and a constant to the force, a policy a column.
using policies = Eigen::Matrix<float, policy_parameters, Eigen::Dynamic>;

/// Positions and velocities to start from, a start a column: at rest, anywhere near the origin.
Eigen::Matrix4Xf random_starts(Eigen::Index count, std::mt19937_64& random);

/// Policy i from start i: of each of the `horizon` steps the features of all rollouts, a rollout a column.
std::vector<step_features> roll_out(policies const& each, Eigen::Matrix4Xf const& starts);

/// The reward of each step that the teacher has in mind.
Eigen::VectorXf true_reward(step_features const& steps);

}  // namespace point_mass
