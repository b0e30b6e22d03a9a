#pragma once

#include <cstddef>
#include <prefopt/detail/abi.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// What one call saw. Means run over the counted pairs: those that were not skipped. Means over none are 0.
struct report {
  double loss = 0;             ///< the reduced loss; the weighted mean under reduction::none
  double accuracy = 0;         ///< share of pairs with score(chosen) > score(rejected); a tie counts one half
  double margin = 0;           ///< mean of chosen_reward - rejected_reward
  double chosen_reward = 0;    ///< mean implicit reward of the chosen completions
  double rejected_reward = 0;  ///< mean implicit reward of the rejected completions
  double weight = 0;           ///< sum of the weights of the counted pairs; their number without a weight column
  std::size_t count = 0;       ///< pairs counted
  std::size_t skipped = 0;     ///< pairs left out
  std::size_t non_finite = 0;  ///< pairs with a NaN or an infinity among the columns read, counted or skipped
  std::size_t empty = 0;       ///< pairs with an empty completion, counted or skipped
};

}  // namespace prefopt::inline PREFOPT_ABI
