#pragma once

#include <cstddef>
#include <prefopt/core/parts.hpp>
#include <prefopt/logprob/sequence.hpp>
#include <prefopt/logprob/token_rows.hpp>
#include <prefopt/batch/options.hpp>
#include <string_view>
#include <vector>

namespace prefopt::inline PREFOPT_ABI {

/// A policy whose output for a batch lies in memory, as sequences of tokens: it gives their log-probs and takes the
/// gradient by them, to wherever that is wanted. What has to be kept in between is its `state`, made for each call.
///     check(where, how)                       throws for whatever is wrong, before anything is written
///     log_probs(state, outputs, executor)     sums over the counted tokens, and their number
///     backward(state, d_log_prob, how, executor)   one gradient a sequence
template <class P>
concept sequence_policy = requires(P const policy, typename P::state state, executor const run, gradient_write how,
                                   sequence_outputs<typename P::value_type> const outputs,
                                   column<typename P::value_type> const d_log_prob) {
  { policy.sequences() } -> std::same_as<std::size_t>;
  { policy.wants_gradient() } -> std::same_as<bool>;
  policy.check(std::string_view{}, how);
  policy.log_probs(state, outputs, run);
  policy.backward(state, d_log_prob, how, run);
};

namespace detail {

/// Sums token log-probs, one a row, over each sequence's counted rows.
template <class T>
void add_up_rows(token_rows const& tokens, std::vector<double> const& log_prob, sequence_outputs<T> const& outputs,
                 executor const& run) {
  std::size_t const rows = log_prob.size(), sequences = tokens.sequences();
  std::vector<unsigned char> counted(rows);
  for (std::size_t row = 0; row < rows; ++row) counted[row] = tokens.labels[row] != tokens.ignore_index;
  std::vector<double> sums(sequences), lengths(sequences);
  sequence_outputs<double> const exact{.log_prob = sums, .length = lengths};
  if (tokens.tokens_per_sequence != 0) {
    sequence_log_probs(dense_tokens<double>{.log_prob = {log_prob.data(), sequences, tokens.tokens_per_sequence},
                                            .mask = {counted.data(), sequences, tokens.tokens_per_sequence}},
                       exact, run);
  } else {
    sequence_log_probs(packed_tokens<double>{.log_prob = log_prob, .offsets = tokens.offsets, .mask = counted}, exact,
                       run);
  }
  for (std::size_t i = 0; i < sequences; ++i) {
    put(outputs.log_prob, i, sums[i]);
    put(outputs.length, i, lengths[i]);
  }
}

/// Each row's gradient is its sequence's.
template <class T>
std::vector<double> spread_over_rows(token_rows const& tokens, column<T> const& d_sequence) {
  std::vector<double> d(tokens.labels.size());
  for (std::size_t i = 0; i < tokens.sequences(); ++i) {
    auto const first = d.begin();
    std::fill(first + static_cast<std::ptrdiff_t>(tokens.begin(i)), first + static_cast<std::ptrdiff_t>(tokens.end(i)),
              static_cast<double>(d_sequence[i]));
  }
  return d;
}

}  // namespace detail
}  // namespace prefopt::inline PREFOPT_ABI
