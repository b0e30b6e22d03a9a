#pragma once

#include <cstddef>
#include <prefopt/core/abi.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// What one call saw, of all ranks' tokens. Means and shares are over the counted tokens; over none they are 0.
struct token_report {
  double loss = 0;  ///< aggregated
  /// Of exp(log_prob - old_log_prob), within log_ratio_limit, or of the sequence's ratio where the surrogate has one.
  double mean_ratio = 0;
  double largest_ratio = 0;    ///< of this rank's tokens
  double clipped_low = 0;      ///< share whose ratio the surrogate clips from below
  double clipped_high = 0;     ///< and from above
  double old_kl = 0;           ///< mean of (log_prob - old_log_prob)^2 / 2, an estimate of the KL of the two policies
  double kl = 0;               ///< mean of the estimate of KL(policy | reference), before its coefficient
  double entropy = 0;          ///< mean of the column
  double mean_correction = 0;  ///< mean of the sampler's correction
  /// (sum of the corrections)^2 / sum of their squares: as many tokens' worth; the number of counted tokens without one.
  double effective_sample_size = 0;
  double masked_share = 0;  ///< of all tokens, those that do not count
  double denominator = 0;   ///< what the aggregation divides by; under reduction::sum what it would have
  std::size_t count = 0;    ///< tokens counted
  std::size_t skipped = 0;  ///< tokens left out for a NaN or an infinity
  std::size_t non_finite =
      0;  ///< counted tokens with a NaN or an infinity in a column that is read, and the skipped ones
  std::size_t sequences = 0;  ///< with a counted token
  std::size_t empty = 0;      ///< without one
};

}  // namespace prefopt::inline PREFOPT_ABI
