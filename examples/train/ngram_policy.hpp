#pragma once

#include <Eigen/Core>
#include <array>
#include <cstddef>
#include <cstdint>
#include <prefopt/adapter/policy.hpp>
#include <span>
#include <string_view>
#include <vector>

#include "candidate_list.hpp"

/// A log-linear language model over bytes: p(next byte | text before it) is the softmax of a sum of rows of weights,
/// one row for each of the contexts of 0, 1, 2, 3 and 5 bytes that end there. A hash gives a context its row; contexts
/// that collide share one. Every completion ends with an end mark, so that its length is part of what is modelled. A
/// batch is a list of indices of candidates. A completion's length is its number of bytes and the end mark.
class ngram_policy {
 public:
  static constexpr bool is_language_model = true;

  /// Keeps views of the candidates.
  explicit ngram_policy(std::span<candidate const> candidates);

  void log_probs(std::span<std::size_t const> batch, prefopt::list_log_probs<double> const& out) const;

  /// Adds to the gradient for the next `update`.
  void backward(std::span<std::size_t const> batch, prefopt::list_gradients<double> const& gradients);

  /// One step of AdaGrad (Duchi, Hazan and Singer 2011).
  void update(double rate);

  /// The next objective begins with full steps again.
  void restart_optimizer() { squares_.setZero(); }

  /// Everything that training changes, for a checkpoint.
  std::vector<std::span<float>> state();

 private:
  static constexpr Eigen::Index symbols = 256;
  static constexpr int hash_bits = 13;
  static constexpr std::array<std::size_t, 5> context_bytes{0, 1, 2, 3, 5};
  using distribution = Eigen::Array<float, symbols, 1>;
  using table = Eigen::Array<float, symbols, Eigen::Dynamic>;
  using contexts = std::array<Eigen::Index, context_bytes.size()>;

  template <class Visit>
  static void for_each_symbol(candidate const& text, Visit visit);
  static contexts contexts_of(std::uint64_t text_before);

  /// The logits less the largest of them.
  distribution logits(contexts const& at) const;
  double log_prob(candidate const& text) const;
  void add_gradient(candidate const& text, float d);
  Eigen::Index gradient_column(Eigen::Index row);

  std::span<candidate const> candidates_;
  table weights_;                              ///< one column of logits for each row of the hash table
  table squares_;                              ///< AdaGrad's sums of squared gradients
  table gradient_;                             ///< of the columns that the present batch touches
  std::vector<Eigen::Index> touched_, place_;  ///< which those are; where each is in `gradient_`, or -1
};
