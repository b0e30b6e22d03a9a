#pragma once

#include <Eigen/Core>
#include <array>
#include <cstddef>
#include <cstdint>
#include <prefopt/train/policy.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "candidate_list.hpp"
#include "ranks.hpp"
#include "touched_columns.hpp"

/// A log-linear language model over bytes: p(next byte | text before it) is the softmax of a sum of rows of weights,
/// one row for each of the contexts of 0, 1, 2, 3 and 5 bytes that end there. A hash gives a context its row; contexts
/// that collide share one. Every completion ends with an end mark, so that its length is part of what is modelled. A
/// batch is a list of indices of candidates. A completion's length is its number of bytes and the end mark.
class ngram_policy {
 public:
  static constexpr bool is_language_model = true;

  /// As a checkpoint names it: another one has other weights.
  static std::string description() { return "ngram"; }

  /// Keeps views of the candidates.
  explicit ngram_policy(std::span<candidate const> candidates);

  /// Keeps the log-sum-exp of every row of logits for `backward`, which makes the logits themselves once more: so
  /// memory is a number a byte of text.
  void log_probs(std::span<std::size_t const> batch, prefopt::list_log_probs<double> const& out);

  /// Of completions under the prompts of others, and as if they had been asked for in between: nothing is kept.
  void log_probs_of_others(std::span<std::size_t const> prompts, std::span<std::size_t const> completions,
                           std::span<double> logp);

  /// Of the batch that log_probs had last. Adds to the gradient for the next `update`.
  void backward(std::span<std::size_t const> batch, prefopt::list_gradients<double> const& gradients);

  /// Makes the gradient the sum over all ranks' gradients.
  void add_up(ranks const& all) { gradient_.add_up(all); }

  /// One step of AdaGrad (Duchi, Hazan and Singer 2011).
  void update(double rate);

  /// The next objective begins with full steps again.
  void restart_optimizer() { squares_.setZero(); }

  /// Whether two candidates with the same prompt are one and the same to it.
  bool is_same(std::size_t one, std::size_t other) const {
    return candidates_[one].completion == candidates_[other].completion;
  }

  /// Everything that training changes, for a checkpoint.
  std::vector<std::span<float>> state();

 private:
  static constexpr int alphabet = 256;
  static constexpr std::size_t rows_at_once = 128;
  static constexpr int hash_bits = 13;
  static constexpr std::array<std::size_t, 5> context_bytes{0, 1, 2, 3, 5};
  using table = Eigen::Array<float, alphabet, Eigen::Dynamic>;
  using contexts = std::array<Eigen::Index, context_bytes.size()>;

  static contexts contexts_of(std::uint64_t text_before);
  static std::size_t symbols_of(candidate const& text) { return text.completion.size() + 1; }

  /// The symbols of a completion, the end mark the last, and their contexts to symbols_ and contexts_.
  void read(candidate const& text);
  template <class Use>
  void for_each_chunk(candidate const& text, Use use);
  enum class softmax { kept_for_backward, forgotten };
  double log_prob(candidate const& text, softmax after);

  std::span<candidate const> candidates_;
  table weights_;  ///< one column of logits for each row of the hash table
  table squares_;  ///< AdaGrad's sums of squared gradients
  touched_columns<alphabet> gradient_;
  Eigen::Array<double, alphabet, 1> d_logits_;  ///< of one symbol
  table logits_;                                ///< a column, which is the library's row, for each symbol of a chunk
  std::vector<contexts> contexts_;
  std::vector<std::int32_t> symbols_;
  std::vector<double> log_sum_exp_;
};
