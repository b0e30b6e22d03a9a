#pragma once

#include <Eigen/Core>
#include <cstddef>
#include <cstdint>
#include <prefopt/batch/report.hpp>
#include <random>
#include <vector>

#include "point_mass.hpp"
#include "step_reward.hpp"

/// Pairs of segments of trajectories, of unequal length, of which a teacher preferred one.
class preferred_segments {
 public:
  /// Adds pairs of segments from rollouts. The teacher prefers the one with the larger sum of true rewards, and errs in
  /// a share of the pairs.
  void add(std::vector<point_mass::step_features> const& rollouts, std::size_t pairs, double wrong_share,
           std::mt19937_64& random);

  /// Bradley-Terry of the sums of a model's rewards over the segments, and its gradient by the model's weights.
  prefopt::report evaluate(step_reward const& model, Eigen::VectorXf& gradient) const;

 private:
  struct segments {
    point_mass::step_features steps{point_mass::features, 0};  ///< segment after segment
    std::vector<std::int64_t> offsets{0};

    void add(point_mass::step_features const& segment);
  };

  segments chosen_, rejected_;
};
