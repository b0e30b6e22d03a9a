#pragma once

#include <Eigen/Core>
#include <functional>
#include <random>

#include "point_mass.hpp"

/// The reward of each step, true or learnt.
using reward_function = std::function<Eigen::VectorXf(point_mass::step_features const&)>;

/// The mean sum of rewards of one policy from each of the starts.
double mean_return(point_mass::policies const& policy, Eigen::Matrix4Xf const& starts, reward_function const& reward);

/// A better policy by the cross-entropy method: policies are drawn around the best ones of those drawn before, and
/// judged by their return from the starts.
point_mass::policies improved_policy(point_mass::policies const& policy, Eigen::Matrix4Xf const& starts,
                                     reward_function const& reward, std::mt19937_64& random);
