#pragma once

#include <Eigen/Core>
#include <Eigen/SparseCore>
#include <cstddef>
#include <prefopt/train/policy.hpp>
#include <span>
#include <string>
#include <vector>

#include "candidate_list.hpp"
#include "ranks.hpp"
#include "touched_columns.hpp"

/// A reward model: the reward of a completion is linear in the counts of its words (see text_words) and pairs of neighbouring words,
/// scaled to norm 1. A hash gives each of them its weight and sign (Weinberger et al. 2009), so there is no dictionary.
/// What stands in the place of log-probs are rewards. They have no length: losses that read lengths do not go with it.
/// A batch is a list of indices of candidates.
class linear_policy {
 public:
  static constexpr bool is_language_model = false;

  /// As a checkpoint names it: another one has other features.
  static std::string description();

  explicit linear_policy(std::span<candidate const> candidates);

  void log_probs(std::span<std::size_t const> batch, prefopt::list_log_probs<double> const& out) const;

  /// Of completions under the prompts of others: to these rewards a prompt is nothing.
  void log_probs_of_others(std::span<std::size_t const>, std::span<std::size_t const> completions,
                           std::span<double> logp) const {
    log_probs(completions, {logp, {}});
  }

  /// Adds to the gradient for the next `update`.
  void backward(std::span<std::size_t const> batch, prefopt::list_gradients<double> const& gradients);

  /// Makes the gradient the sum over all ranks' gradients.
  void add_up(ranks const& all) { gradient_.add_up(all); }

  /// One step of AdaGrad (Duchi, Hazan and Singer 2011).
  void update(double rate);

  /// Whether two candidates have the same features, and so always the same reward.
  bool is_same(std::size_t one, std::size_t other) const;

  /// Everything that training changes, for a checkpoint.
  std::vector<std::span<float>> state();

 private:
  Eigen::SparseMatrix<float, Eigen::RowMajor> features_;  ///< one row a candidate
  Eigen::VectorXf weights_, squares_;
  touched_columns<1> gradient_;
};
