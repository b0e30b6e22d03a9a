#pragma once

#include <Eigen/Core>
#include <Eigen/SparseCore>
#include <cstddef>
#include <prefopt/adapter/policy.hpp>
#include <span>
#include <vector>

#include "preference.hpp"

/// A reward model: the reward of a completion is linear in the counts of its words and pairs of neighbouring words,
/// scaled to norm 1. A hash gives each of them its weight and sign (Weinberger et al. 2009), so there is no dictionary.
/// What stands in the place of log-probs are rewards. They have no length: losses that read lengths do not go with it.
/// A batch is a list of indices into the pairs.
class linear_policy {
 public:
  static constexpr bool is_language_model = false;

  explicit linear_policy(std::span<preference const> pairs);

  void log_probs(std::span<std::size_t const> rows, prefopt::pair_log_probs<double> const& out) const;

  /// Adds to the gradient for the next `update`.
  void backward(std::span<std::size_t const> rows, prefopt::pair_gradients<double> const& gradients);

  /// One step of AdaGrad (Duchi, Hazan and Singer 2011).
  void update(double rate);

  /// Everything that training changes, for a checkpoint.
  std::vector<std::span<float>> state();

 private:
  using features = Eigen::SparseMatrix<float, Eigen::RowMajor>;

  features chosen_, rejected_;  ///< one row a pair
  Eigen::VectorXf weights_, squares_, gradient_;
};
