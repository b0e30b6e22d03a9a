#pragma once

#include <cstddef>
#include <prefopt/core/abi.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// What one call saw, of pairs or of groups. Means run over the counted ones: those that were not skipped. Means over
/// none are 0. In a group, chosen is the best candidate, and rejected stands for the mean of the others.
struct report {
  double loss = 0;  ///< the reduced loss; the weighted mean under reduction::none
  /// Share of pairs with score(chosen) > score(rejected), or < where scores are errors, in groups of all pairs that
  /// rewards, target or the given order put in an order; a tie counts one half, a score that is NaN as wrong (as right
  /// where scores are errors).
  double accuracy = 0;
  double margin = 0;            ///< mean of chosen_reward - rejected_reward
  double chosen_reward = 0;     ///< mean implicit reward of the chosen completions
  double rejected_reward = 0;   ///< mean implicit reward of the rejected completions
  double best_probability = 0;  ///< groups only: mean of softmax(implicit rewards) at the best candidate
  double weight = 0;            ///< sum of the weights of the counted pairs or groups; their number without weights
  std::size_t count = 0;        ///< pairs or groups counted
  std::size_t skipped = 0;      ///< left out
  std::size_t non_finite = 0;   ///< with a NaN or an infinity among the columns read, counted or skipped
  std::size_t empty = 0;        ///< with an empty completion, and groups without a candidate, counted or skipped
};

}  // namespace prefopt::inline PREFOPT_ABI
