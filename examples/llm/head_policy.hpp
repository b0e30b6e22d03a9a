#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "hidden_state_file.hpp"
#include "output_head.hpp"
#include "trainable_llama.hpp"
#include "tuned_sequences.hpp"

/// The model whose output matrix alone is trained, W + alpha / rank B A: the hidden states stay as they are, and come from
/// a file for the sequences that it was made of. Its reference is the model with W.
class head_policy {
 public:
  /// B begins as zeros, A as random numbers, as in lora_adapter. `open` gives the hidden states of `sequences`; the model's
  /// have to be without rounding, since W + alpha / rank B A is a head in f32.
  head_policy(trainable_llama& model, std::function<std::unique_ptr<hidden_state_file const>()> open,
              std::span<tokenized_pair const> sequences, lora_options const& options, std::size_t threads);

  /// A [rank, width] and then B [vocabulary, rank].
  std::span<float> parameters() { return values_; }
  std::span<float const> gradient() const { return gradient_; }
  /// Opens the hidden states. To be called before all that computes.
  void prepare();
  /// To be called whenever the parameters have changed.
  void apply_parameters();
  /// W + alpha / rank B A, [vocabulary, width].
  std::span<float const> weight() const { return weight_; }

  void log_probs(sequence_list sequences, std::span<double> logp);
  void reference_log_probs(sequence_list sequences, std::span<double> logp);
  void log_probs_and_gradient(sequence_list sequences, std::span<double> logp, output_head::judge const& judge);
  void kl(sequence_list sequences, std::span<double> logp, std::span<double> kl);

 private:
  /// Of answers; those of other sequences than the kept ones are computed.
  void read_answers(sequence_list sequences);

  trainable_llama& model_;
  std::function<std::unique_ptr<hidden_state_file const>()> open_;
  std::unique_ptr<hidden_state_file const> kept_;
  std::span<tokenized_pair const> sequences_;
  std::size_t rank_, width_;
  float scale_;
  std::vector<float> values_, gradient_, weight_, d_weight_;
  output_head reference_, head_;
  completion_rows rows_;
};
