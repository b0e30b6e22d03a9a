#pragma once

#include <Eigen/Dense>
#include <cstddef>
#include <span>
#include <vector>

#include "choices.hpp"
#include "worth.hpp"

/// What is expected of a choice from a set. Each chosen item has a share of it, 1 / (how many are chosen).
struct set_expectations {
  Eigen::VectorXd share, size;  ///< of each item; how often ties of each size are chosen
  Eigen::MatrixXd share_share;  ///< covariances with the sign turned, below the diagonal: weights of a Laplacian
  Eigen::MatrixXd share_size;   ///< covariances
};

/// One or several tied items chosen from a set (Davidson-Luce; Turner, van Etten, Firth and Kosmidis 2020): of the subsets
/// of the sizes that ties have each is chosen with a probability proportional to e^(parameter of its size) times the
/// geometric mean of e^worth.
class set_probabilities {
 public:
  set_probabilities(choices::tied const& set, std::span<worth const> worths, std::span<std::size_t const> tie_sizes,
                    std::span<double const> parameters);

  double log_probability(std::vector<std::size_t> const& chosen) const;
  set_expectations expectations() const;

 private:
  std::vector<double> powers_of(std::size_t size) const;

  std::span<std::size_t const> tie_sizes_;
  std::vector<double> relative_;    // worths less the largest
  std::vector<double> parameter_;   // of each size, -infinity where it is not chosen
  std::vector<double> log_weight_;  // of each size, of all its subsets
  double log_sum_;
};

/// The gradient of a set's log-likelihood, by the worths of its items and the parameters.
struct set_gradient {
  Eigen::VectorXd worth, tie;
};
set_gradient gradient_of(choices::tied const& set, std::span<double const> counts, set_expectations const& expected,
                         std::span<std::size_t const> tie_sizes);
