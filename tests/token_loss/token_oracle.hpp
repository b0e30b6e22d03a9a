#pragma once

#include <cstddef>
#include <optional>
#include <oracle/bits.hpp>
#include <vector>

#include "token_loss/tokens.hpp"

// What a policy-gradient loss is, plainly from the formulas: a sequence at a time, in long double, values only. The
// gradient comes by forward differentiation, one token at a time; with every number goes a bound of what arithmetic of
// less precision may do to it.

namespace token_oracle {

using oracle::real;

/// A value, its derivative by one log-prob, and bounds of their errors in units of T's epsilon.
struct number {
  real value = 0, slope = 0, value_error = 0, slope_error = 0;
};

/// What one call should write, with bounds of the errors.
struct expectation {
  std::vector<number> loss;        ///< of each token
  std::vector<number> d_log_prob;  ///< value and its error only
  std::vector<number> d_entropy;
  /// A comparison is too close for T: what is written may be that of the other side.
  std::vector<bool> is_close;
  /// Of the report.
  number total, mean_ratio, largest_ratio, clipped_low, clipped_high, old_kl, kl, entropy, mean_correction, effective;
  real denominator = 1;
  std::size_t count = 0, sequences = 0, empty = 0;
};

/// `selected`: the tokens that a surrogate treats apart. `epsilon`: T's.
expectation expected(prefopt::any_token_loss const& loss, tokens<double> const& data, prefopt::options const& options,
                     std::vector<bool> const& selected, real epsilon);

/// Covariances of advantage and log-prob, 0 at a token that does not count.
std::vector<real> covariances(tokens<double> const& data);
/// The share, at least one, of the counted tokens with the largest of them; nothing if it is rounding that would choose.
std::optional<std::vector<bool>> largest_covariances(tokens<double> const& data, double share);

template <class T>
tokens<double> in_double(tokens<T> const& data) {
  auto const wide = [](std::vector<T> const& x) { return std::vector<double>(x.begin(), x.end()); };
  tokens<double> out;
  out.log_prob = wide(data.log_prob);
  out.old_log_prob = wide(data.old_log_prob);
  out.ref_log_prob = wide(data.ref_log_prob);
  out.rollout_log_prob = wide(data.rollout_log_prob);
  out.advantage = wide(data.advantage);
  out.mask = wide(data.mask);
  out.entropy = wide(data.entropy);
  out.offsets = data.offsets;
  out.group_offsets = data.group_offsets;
  out.is_advantage_of_sequences = data.is_advantage_of_sequences;
  out.gives_rollout = data.gives_rollout;
  return out;
}

}  // namespace token_oracle
