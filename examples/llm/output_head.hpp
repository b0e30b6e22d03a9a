#pragma once

#include <cstddef>
#include <functional>
#include <prefopt/view/row_major.hpp>
#include <span>
#include <vector>

#include "completion_rows.hpp"
#include "worker_threads.hpp"

/// The last layer of the model, logits = hidden weight^T, by prefopt::linear_policy: the logits never exist whole.
class output_head {
 public:
  /// Of [vocabulary, width]; refers to the weight, which its owner may change between calls.
  output_head(prefopt::row_major<float const> const& weight, std::size_t threads)
      : weight_{weight}, threads_{threads} {}

  std::size_t vocabulary() const { return weight_.rows(); }
  std::size_t width() const { return weight_.columns(); }

  /// Of each sequence, the sum over its answer.
  void log_probs(completion_rows const& rows, std::span<double> logp) const;

  /// Where the gradients by the hidden states, [rows, width], and by the weight go; either may be empty.
  struct gradients {
    std::span<float> hidden, weight;
  };
  /// What makes the gradient by each sequence's log-prob of all of them.
  using judge = std::function<std::span<double const>(std::span<double const> logp)>;
  void log_probs(completion_rows const& rows, std::span<double> logp, judge const& of_all, gradients const& d) const;

  /// Of each sequence, the sum over its answer of KL(this || other) of the next token, over the whole vocabulary. Both
  /// read the same tokens.
  void kl(completion_rows const& rows, output_head const& other, completion_rows const& rows_of_other,
          std::span<double> kl) const;

 private:
  prefopt::row_major<float const> weight_;
  worker_threads threads_;
};
