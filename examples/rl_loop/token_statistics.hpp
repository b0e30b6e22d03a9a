#pragma once

#include <cstddef>
#include <cstdint>
#include <prefopt/logprob/token_logprobs.hpp>
#include <vector>

#include "gru_policy.hpp"

/// What a policy says of the tokens of some groups, one group after the other: prefopt's log-probs of its logits, and what
/// the backward pass needs.
struct token_statistics {
  std::vector<float> log_prob, entropy, value;
  std::vector<double> log_sum_exp;

  void clear() {
    log_prob.clear();
    entropy.clear();
    value.clear();
    log_sum_exp.clear();
  }

  /// Adds the tokens of a group that the policy has passed over.
  void append(sample_group const& group, gru_policy<float>::pass const& kept);
};

/// The gradient by the outputs of a group's tokens, which begin at `first` in the statistics and in the gradients by
/// their log-probs and, if there are any, by their values.
void output_gradient(sample_group const& group, gru_policy<float>::pass const& kept, token_statistics const& seen,
                     std::size_t first, std::vector<float> const& d_log_prob, std::vector<float> const& d_value,
                     gru_policy<float>::matrix& d_outputs);
