#pragma once

#include <Eigen/Dense>
#include <cstddef>
#include <span>
#include <vector>

#include "choices.hpp"
#include "worth.hpp"

/// One or several tied items chosen from a set (Davidson-Luce; Turner, van Etten, Firth and Kosmidis 2020): of the subsets
/// of the sizes that ties have each is chosen with a probability proportional to e^(parameter of its size) times the
/// geometric mean of e^worth.
struct set_probabilities {
  set_probabilities(choices::tied const& set, std::span<worth const> worths, std::span<std::size_t const> tie_sizes,
                    std::span<double const> parameters);

  double log_probability(std::vector<std::size_t> const& chosen) const;

  /// The gradient of the set's log-likelihood, by the worths of its items and the parameters.
  struct gradient {
    Eigen::VectorXd worth, tie;
  };
  gradient gradient_of(choices::tied const& set, std::span<double const> counts,
                       std::span<std::size_t const> tie_sizes) const;

  /// What the sums over the chosen items of 1 / (how many they are) are expected to be, and how often each size is.
  Eigen::VectorXd share, size;
  Eigen::MatrixXd share_share,
      share_size;  ///< covariances with the signs turned, below the diagonal; covariances

 private:
  std::vector<double> relative_;  // worths less the largest
  std::vector<double> parameter_of_size_;
  double log_sum_ = 0;
};
