#pragma once

#include <cstddef>
#include <prefopt/chain/evaluate.hpp>
#include <prefopt/engine/any_loss.hpp>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "loss_choice.hpp"

/// A loss of pairs or of single completions over the sequences of a small trainer, of which each in the first half is
/// better than its counterpart in the second: chosen and rejected ones, or good and bad ones. All have one length.
class sequence_loss {
 public:
  /// Throws input_error for a list loss.
  explicit sequence_loss(loss_choice const& choice);

  [[nodiscard]] std::string name() const;
  [[nodiscard]] bool reads_reference() const;

  /// Of the sequences' log-probs under the policy and under the reference; the gradient by the former, unless `d` is
  /// empty. Throws std::invalid_argument where the loss needs more than these sequences have.
  prefopt::report operator()(std::span<float const> log_prob, std::span<float const> reference, float length,
                             std::span<float> d) const;

  /// The same from a policy that has logits or hidden states, and room for its gradient.
  template <class Policy>
  prefopt::report of_policy(Policy const& policy, std::span<float const> reference) const {
    return with_batch(policy.sequences(), reference,
                      [&](auto const& loss, auto const& batch) { return prefopt::evaluate(loss, policy, batch); });
  }

  /// Calls f with the loss and what it reads of so many sequences beside the policy.
  template <class F>
  prefopt::report with_batch(std::size_t sequences, std::span<float const> reference, F const& f) const {
    if (auto const* const loss = std::get_if<prefopt::any_pair_loss>(&loss_)) {
      prefopt::policy_pairs<float> pairs;
      if (reads_reference()) pairs.ref_log_prob = reference;
      std::vector<float> const sure(loss->reads(prefopt::columns::label) ? sequences / 2 : 0, 1.0F);
      if (!sure.empty()) pairs.label = sure;
      return f(*loss, pairs);
    }
    auto const& loss = std::get<prefopt::any_unpaired_loss>(loss_);
    prefopt::policy_completions<float> completions;
    if (reads_reference()) completions.ref_log_prob = reference;
    std::vector<float> const label = loss.reads(prefopt::columns::label) ? labels(sequences) : std::vector<float>{};
    if (!label.empty()) completions.label = label;
    return f(loss, completions);
  }

 private:
  /// 1 for each good sequence, 0 for each bad one.
  static std::vector<float> labels(std::size_t sequences);

  std::variant<prefopt::any_pair_loss, prefopt::any_unpaired_loss> loss_;
};
