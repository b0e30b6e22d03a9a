#pragma once

#include <Eigen/Core>
#include <cstddef>
#include <cstdint>
#include <random>

#include "bandit_score.hpp"
#include "bandit_settings.hpp"
#include "corruption.hpp"
#include "mlp_policy.hpp"

/// Contexts, one a column, and the rewards of their candidates, one a row.
struct bandit_sample {
  Eigen::MatrixXf contexts, rewards;

  Eigen::Index size() const { return contexts.cols(); }
};

/// What all methods are given that are compared with each other.
struct bandit_problem {
  bandit_sample training;  ///< corrupted
  bandit_sample held_out;  ///< true rewards
  mlp_policy reference;    ///< pre-trained on true rewards
  double turned_pairs;     ///< share of the pairs in training that the corruption turned over
};

constexpr Eigen::Index candidates = 8, context_size = 8;
constexpr std::size_t pretraining_steps = 30;  ///< of the reference

/// The true rewards are a random network's, with mean 0 and variance 1. Of one seed everything is the same under all
/// corruptions, except what these change.
bandit_problem make_bandit_problem(std::uint64_t seed, corruption const& how, bandit_settings const& settings);

bandit_score score_of(mlp_policy const& policy, bandit_sample const& held_out);
