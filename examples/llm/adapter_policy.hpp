#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "output_head.hpp"
#include "packed_answers.hpp"
#include "trainable_llama.hpp"
#include "tuned_sequences.hpp"

/// The model with a low-rank adapter over the matrices of its blocks: these are what is trained, and its reference is the
/// same model without them.
class adapter_policy {
 public:
  /// A model with an adapter; refers to it.
  adapter_policy(trainable_llama& model, std::size_t threads);

  std::span<float> parameters() { return model_.adapter().values(); }
  /// Of the last `backward` alone.
  std::span<float const> gradient() const { return model_.adapter().gradients(); }

  /// To be called before all that computes.
  void prepare() {}
  /// To be called whenever the parameters have changed.
  void apply_parameters() {}

  void log_probs(sequence_list sequences, std::span<double> logp) { log_probs(sequences, with_adapter::yes, logp); }
  void reference_log_probs(sequence_list sequences, std::span<double> logp) {
    log_probs(sequences, with_adapter::no, logp);
  }

  /// The log-probs and, of what `judge` says of them, the gradient. What the backward pass reads is kept of `most_kept`
  /// tokens, a prompt that answers share being there once; more of them, of many long answers, go forward together and
  /// then once more in parts.
  static constexpr std::size_t most_kept = 2048;
  void log_probs_and_gradient(sequence_list sequences, std::span<double> logp, output_head::judge const& judge);

  /// Of each sequence, its log-prob and the sum over its answer of KL(policy || reference) of the next token.
  void kl(sequence_list sequences, std::span<double> logp, std::span<double> kl);

 private:
  void add_gradient(packed_answers const& answers, std::span<double> logp, output_head::judge const& judge);
  void log_probs(sequence_list sequences, with_adapter use, std::span<double> logp);
  completion_rows const& rows_of(sequence_list sequences, with_adapter use, completion_rows& rows);

  trainable_llama& model_;
  output_head head_;
  completion_rows rows_, reference_rows_;
  std::vector<float> hidden_, d_hidden_, d_rows_;
};
