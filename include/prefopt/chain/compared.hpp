#pragma once

#include <cstddef>
#include <cstdint>
#include <prefopt/chain/sequence_policy.hpp>
#include <prefopt/engine/evaluate_batch.hpp>
#include <string>
#include <utility>
#include <vector>

namespace prefopt::inline PREFOPT_ABI {

/// Preference pairs among the sequences of a policy. A sequence may be in several pairs, or in none.
template <class T>
struct policy_pairs {
  column<std::int64_t> chosen{}, rejected{};  ///< places of sequences; neither given: the first half of the sequences,
                                              ///< and the second in order. Given, and empty: no pairs
  column<T> ref_log_prob{};                   ///< log-prob under the reference, one a sequence of the policy
  column<T> weight{};                         ///< one a pair, as in pair_batch
  PREFOPT_PAIR_COLUMNS(PREFOPT_COLUMN_MEMBER, column<T>)
};

/// Where the numbers beside the policy's gradient go, or left empty.
template <class T>
struct policy_pair_outputs {
  output<T> loss{}, chosen_reward{}, rejected_reward{}, posterior{};  ///< one a pair, as in pair_outputs
  output<T> log_prob{}, length{};                                     ///< one a sequence: sum, number of tokens
};

/// The sequences of a policy as groups of candidates, one behind the other.
template <class T>
struct policy_groups {
  column<std::int64_t> offsets{};          ///< groups + 1 entries: the first 0, never falling, the last all sequences
  column<T> ref_log_prob{};                ///< log-prob under the reference, one a sequence
  column<T> reward{}, target{}, weight{};  ///< as in list_batch
  bool per_token = false;                  ///< gives lengths to losses that take but do not need them
};

template <class T>
struct policy_group_outputs {
  output<T> loss{};                ///< one a group
  output<T> log_prob{}, length{};  ///< one a sequence: sum, number of tokens
};

/// The sequences of a policy as single completions.
template <class T>
struct policy_completions {
  column<T> ref_log_prob{};                                         ///< log-prob under the reference, one a sequence
  column<T> label{}, target{}, weight{}, kl_logp{}, ref_kl_logp{};  ///< as in unpaired_batch
};

template <class T>
struct policy_completion_outputs {
  output<T> loss{}, reward{};      ///< one a sequence, as in unpaired_outputs
  output<T> log_prob{}, length{};  ///< one a sequence: sum, number of tokens
};

namespace detail {

template <class T>
struct sequence_values {
  std::vector<T> log_prob, length, ref_log_prob;
  bool has_reference = false;
};

template <class T>
std::vector<T> gathered(std::vector<T> const& values, std::vector<std::size_t> const& at) {
  std::vector<T> picked;
  if (values.empty()) return picked;
  picked.reserve(at.size());
  for (std::size_t const index : at) picked.push_back(values[index]);
  return picked;
}

/// The two sequences of each pair, checked.
struct paired_sequences {
  std::vector<std::size_t> chosen, rejected;

  paired_sequences(column<std::int64_t> const& first, column<std::int64_t> const& second, std::size_t sequences) {
    if (!first.is_given() && !second.is_given()) {
      if (sequences % 2 != 0) {
        fail_evaluate("the policy has " + text(sequences) +
                      " sequences, which is odd, and neither chosen nor rejected is given");
      }
      for (std::size_t i = 0; i < sequences / 2; ++i) {
        chosen.push_back(i);
        rejected.push_back(sequences / 2 + i);
      }
      return;
    }
    if (first.size() != second.size()) {
      fail_evaluate("rejected has " + elements(second.size()) + ", chosen has " + text(first.size()));
    }
    if (!first.is_given() || !second.is_given()) {
      fail_evaluate(first.is_given() ? "chosen is given, but rejected is not" : "rejected is given, but chosen is not");
    }
    auto const read = [&](char const* name, column<std::int64_t> const& from, std::vector<std::size_t>& to) {
      for (std::size_t i = 0; i < from.size(); ++i) {
        if (from[i] < 0 || static_cast<std::uint64_t>(from[i]) >= sequences) {
          fail_evaluate(std::string{name} + "[" + text(i) + "] is " + std::to_string(from[i]) +
                        ", expected a sequence in [0, " + text(sequences) + ")");
        }
        to.push_back(static_cast<std::size_t>(from[i]));
      }
    };
    read("chosen", first, chosen);
    read("rejected", second, rejected);
  }
};

/// Sequences of a policy compared as pairs.
template <class T>
class compared_pairs {
 public:
  using family = pair_family;
  using batch_type = policy_pairs<T>;
  using outputs_type = policy_pair_outputs<T>;

  compared_pairs(batch_type const& batch, std::size_t sequences)
      : batch_{batch}, pairs_{batch.chosen, batch.rejected, sequences}, sums_(sequences) {}

  /// The loss of sequences that have been read; the gradient by their log-probs is then in d_log_prob.
  report evaluate(loss_ref<pair_family, T> const& loss, sequence_values<T> const& values, outputs_type const& outputs,
                  options const& options) {
    auto const chosen = gathered(values.log_prob, pairs_.chosen), rejected = gathered(values.log_prob, pairs_.rejected),
               ref_chosen = gathered(values.ref_log_prob, pairs_.chosen),
               ref_rejected = gathered(values.ref_log_prob, pairs_.rejected),
               chosen_length = gathered(values.length, pairs_.chosen),
               rejected_length = gathered(values.length, pairs_.rejected);
    std::size_t const n = pairs_.chosen.size();
    std::vector<T> d_chosen(n), d_rejected(n);
    pair_batch<T> compared{.chosen = chosen,
                           .rejected = rejected,
                           .ref_chosen = column_if(values.has_reference, ref_chosen),
                           .ref_rejected = column_if(values.has_reference, ref_rejected),
                           .chosen_length = chosen_length,
                           .rejected_length = rejected_length};
    copy_pair_columns(compared, batch_);
    report const seen = evaluate_batch<pair_family, T>(loss, compared,
                                                       {.loss = outputs.loss,
                                                        .d_chosen = d_chosen,
                                                        .d_rejected = d_rejected,
                                                        .chosen_reward = outputs.chosen_reward,
                                                        .rejected_reward = outputs.rejected_reward,
                                                        .posterior = outputs.posterior},
                                                       options, true);
    for (std::size_t i = 0; i < n; ++i) {
      sums_[pairs_.chosen[i]] += static_cast<double>(d_chosen[i]);
      sums_[pairs_.rejected[i]] += static_cast<double>(d_rejected[i]);
    }
    return seen;
  }

  [[nodiscard]] std::vector<T> d_log_prob() const {
    std::vector<T> d;
    d.reserve(sums_.size());
    for (double const sum : sums_) d.push_back(static_cast<T>(sum));
    return d;
  }

 private:
  batch_type const& batch_;
  paired_sequences pairs_;
  std::vector<double> sums_;
};

/// For groups of a loss that does not get the lengths, and so cannot leave out a candidate without a token.
template <class T>
void check_no_sequence_is_empty(column<T> const& length, on_invalid empty) {
  if (empty == on_invalid::propagate) return;
  for (std::size_t i = 0; i < length.size(); ++i) {
    if (length[i] != T(0)) continue;
    fail_evaluate(
        "sequence " + text(i) + " has no token, which options.empty = " +
        (empty == on_invalid::error ? "error forbids" : "skip can leave out only where the loss reads lengths"));
  }
}

/// Whether a loss on groups is given the lengths.
inline bool measures(loss_facts const& facts, bool per_token) noexcept {
  return contains(facts.needs, columns::length) || (per_token && facts.reads(columns::length));
}

/// Sequences of a policy compared as groups.
template <class T>
class compared_groups {
 public:
  using family = list_family;
  using batch_type = policy_groups<T>;
  using outputs_type = policy_group_outputs<T>;

  compared_groups(batch_type const& batch, std::size_t sequences) : batch_{batch}, d_log_prob_(sequences) {
    std::int64_t const last = batch.offsets.empty() ? -1 : batch.offsets[batch.offsets.size() - 1];
    if (last < 0 || static_cast<std::uint64_t>(last) != sequences) {
      fail_evaluate((last < 0 ? "offsets is empty or ends below 0" : "offsets ends at " + std::to_string(last)) +
                    ", the policy has " + text(sequences) + " sequences");
    }
  }

  report evaluate(loss_ref<list_family, T> const& loss, sequence_values<T> const& values, outputs_type const& outputs,
                  options const& options) {
    bool const measured = measures(loss.facts, batch_.per_token);
    if (!measured) check_no_sequence_is_empty(column<T>{values.length}, options.empty);
    return evaluate_batch<list_family, T>(loss,
                                          {.logp = values.log_prob,
                                           .ref_logp = column_if(values.has_reference, values.ref_log_prob),
                                           .length = column_if(measured, values.length),
                                           .reward = batch_.reward,
                                           .target = batch_.target,
                                           .weight = batch_.weight,
                                           .offsets = batch_.offsets},
                                          {.loss = outputs.loss, .d_logp = d_log_prob_}, options);
  }

  [[nodiscard]] std::vector<T> const& d_log_prob() const noexcept { return d_log_prob_; }

 private:
  batch_type const& batch_;
  std::vector<T> d_log_prob_;
};

/// Sequences of a policy, each by itself.
template <class T>
class compared_completions {
 public:
  using family = unpaired_family;
  using batch_type = policy_completions<T>;
  using outputs_type = policy_completion_outputs<T>;

  compared_completions(batch_type const& batch, std::size_t sequences) : batch_{batch}, d_log_prob_(sequences) {}

  report evaluate(loss_ref<unpaired_family, T> const& loss, sequence_values<T> const& values,
                  outputs_type const& outputs, options const& options) {
    return evaluate_batch<unpaired_family, T>(loss,
                                              {.logp = values.log_prob,
                                               .ref_logp = column_if(values.has_reference, values.ref_log_prob),
                                               .length = values.length,
                                               .label = batch_.label,
                                               .target = batch_.target,
                                               .weight = batch_.weight,
                                               .kl_logp = batch_.kl_logp,
                                               .ref_kl_logp = batch_.ref_kl_logp},
                                              {.loss = outputs.loss, .d_logp = d_log_prob_, .reward = outputs.reward},
                                              options, true);
  }

  [[nodiscard]] std::vector<T> const& d_log_prob() const noexcept { return d_log_prob_; }

 private:
  batch_type const& batch_;
  std::vector<T> d_log_prob_;
};

template <class Family, class T>
struct comparison_of;
template <class T>
struct comparison_of<pair_family, T> : std::type_identity<compared_pairs<T>> {};
template <class T>
struct comparison_of<list_family, T> : std::type_identity<compared_groups<T>> {};
template <class T>
struct comparison_of<unpaired_family, T> : std::type_identity<compared_completions<T>> {};

template <class Family, class T>
using compared = typename comparison_of<Family, T>::type;

}  // namespace detail
}  // namespace prefopt::inline PREFOPT_ABI
