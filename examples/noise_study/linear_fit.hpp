#pragma once

#include <Eigen/Core>
#include <functional>
#include <span>

/// A loss of scores: its value, and into the second argument its gradient.
using score_loss = std::function<double(std::span<double const> scores, std::span<double> gradient)>;

/// Bounds theta where the data do not, and is too small to matter where they do.
constexpr double ridge = 1e-4;

/// The theta that minimizes loss(features theta) + ridge / 2 |theta|^2 for a convex loss, by L-BFGS.
Eigen::VectorXd fit_linear(Eigen::MatrixXd const& features, score_loss const& loss);
