#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "completion_rows.hpp"
#include "worker_threads.hpp"

/// The last layer of the model, logits = hidden weight^T, by prefopt::linear_policy: the logits never exist whole.
class output_head {
 public:
  /// Of `vocabulary` rows; refers to the weight, which the owner may change between calls.
  output_head(std::span<float const> weight, std::size_t width, std::size_t threads);

  std::size_t vocabulary() const { return weight_.size() / width_; }
  std::size_t width() const { return width_; }

  /// Of each sequence, the sum over its answer.
  void log_probs(completion_rows const& rows, std::span<double> logp) const;

  /// Where the gradients by the hidden states, [rows, width], and by the weight go; either may be empty.
  struct gradients {
    std::span<float> hidden, weight;
  };
  /// What makes the gradient by each sequence's log-prob of all of them.
  using judge = std::function<std::span<double const>(std::span<double const> logp)>;
  void log_probs(completion_rows const& rows, std::span<double> logp, judge const& judge, gradients const& d) const;

  /// Of each sequence, the sum over its answer of KL(this || other) of the next token, over the whole vocabulary. Both
  /// read the same tokens.
  void kl(completion_rows const& rows, output_head const& other, completion_rows const& rows_of_other,
          std::span<double> kl) const;

 private:
  std::span<float const> weight_;
  std::size_t width_;
  worker_threads threads_;
};
