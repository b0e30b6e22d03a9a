#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <prefopt/engine/evaluate.hpp>
#include <prefopt/chain/sequence_policy.hpp>
#include <string>
#include <type_traits>
#include <vector>

namespace prefopt::inline PREFOPT_ABI {

/// Sequences of a policy by their places. Unlike other columns one that is given may be empty: no pairs.
class sequence_indices : public column<std::int64_t> {
 public:
  constexpr sequence_indices() noexcept : is_given_{false} {}
  using column<std::int64_t>::column;

  [[nodiscard]] constexpr bool is_given() const noexcept { return is_given_; }

 private:
  bool is_given_ = true;
};

/// Preference pairs among the sequences of a policy. A sequence may be in several pairs, or in none.
template <class T>
struct policy_pairs {
  sequence_indices chosen{}, rejected{};  ///< neither given: the first half of the sequences, and the second in order
  column<T> ref_log_prob{};               ///< log-prob under the reference, one a sequence of the policy
  column<T> weight{}, margin{}, label{}, reliability{};  ///< one a pair, as in pair_batch
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

namespace detail {

/// A loss without a reference policy.
struct no_sequence_policy {};

template <class T>
struct sequence_values {
  std::vector<T> log_prob, length, ref_log_prob;
};

/// Log-probs of the policy's sequences, and of the reference's, all checks of both first.
template <class L, class P, class Reference, class T>
sequence_values<T> read_sequences(L const& loss, P const& policy, typename P::state& kept, Reference const& reference,
                                  column<T> const& ref_log_prob, output<T> const& log_prob, output<T> const& length,
                                  options const& options) {
  std::size_t const n = policy.sequences();
  auto const check_size = [&](char const* name, std::size_t size) {
    if (size == 0 || size == n) return;
    fail_evaluate(std::string{name} + " has " + elements(size) + ", the policy has " + text(n) + " sequences");
  };
  check_size("ref_log_prob", ref_log_prob.size());
  check_size("output log_prob", log_prob.size());
  check_size("output length", length.size());
  sequence_values<T> values;
  values.log_prob.resize(n);
  values.length.resize(n);
  if constexpr (!std::same_as<Reference, no_sequence_policy>) {
    static_assert(std::same_as<typename Reference::value_type, T>, "policy and reference compute in one type");
    if (!ref_log_prob.empty()) fail_evaluate("ref_log_prob and a reference policy are both given");
    reference.check("evaluate: reference", gradient_write::assign);
    if (reference.sequences() != n) {
      fail_evaluate("the reference has " + text(reference.sequences()) + " sequences, the policy has " + text(n));
    }
    if (reference.wants_gradient())
      fail_evaluate("the reference has a gradient to be written, which is never computed");
    typename Reference::state unused;
    values.ref_log_prob.resize(n);
    reference.log_probs(unused, {.log_prob = values.ref_log_prob}, options.executor);
  } else {
    if (ref_log_prob.empty() && n != 0 && needs(loss, columns::reference)) {
      fail_evaluate("the loss needs ref_log_prob or a reference policy, and neither is given");
    }
    for (std::size_t i = 0; i < ref_log_prob.size(); ++i) values.ref_log_prob.push_back(ref_log_prob[i]);
  }
  policy.log_probs(kept, {.log_prob = values.log_prob, .length = values.length}, options.executor);
  return values;
}

/// What is left once the loss has been evaluated without an error.
template <class P, class T>
void finish_sequences(P const& policy, typename P::state& kept, sequence_values<T> const& values,
                      std::vector<T> const& d_log_prob, output<T> const& log_prob, output<T> const& length,
                      options const& options) {
  for (std::size_t i = 0; i < values.log_prob.size(); ++i) {
    put(log_prob, i, static_cast<double>(values.log_prob[i]));
    put(length, i, static_cast<double>(values.length[i]));
  }
  if (policy.wants_gradient()) policy.backward(kept, d_log_prob, options.gradient, options.executor);
}

/// The two sequences of each pair, checked.
struct paired_sequences {
  std::vector<std::size_t> chosen, rejected;

  paired_sequences(sequence_indices const& first, sequence_indices const& second, std::size_t sequences) {
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
    auto const read = [&](char const* name, sequence_indices const& from, std::vector<std::size_t>& to) {
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

template <class T>
std::vector<T> gathered(std::vector<T> const& values, std::vector<std::size_t> const& at) {
  std::vector<T> chosen;
  if (values.empty()) return chosen;
  chosen.reserve(at.size());
  for (std::size_t const index : at) chosen.push_back(values[index]);
  return chosen;
}

template <class L, class P, class Reference, class T>
report evaluate_policy_pairs(L const& loss, P const& policy, Reference const& reference, policy_pairs<T> const& batch,
                             policy_pair_outputs<T> const& outputs, options const& options) {
  policy.check("evaluate", options.gradient);
  typename P::state kept;
  paired_sequences const pairs{batch.chosen, batch.rejected, policy.sequences()};
  auto const values =
      read_sequences(loss, policy, kept, reference, batch.ref_log_prob, outputs.log_prob, outputs.length, options);
  auto const chosen = gathered(values.log_prob, pairs.chosen), rejected = gathered(values.log_prob, pairs.rejected),
             ref_chosen = gathered(values.ref_log_prob, pairs.chosen),
             ref_rejected = gathered(values.ref_log_prob, pairs.rejected),
             chosen_length = gathered(values.length, pairs.chosen),
             rejected_length = gathered(values.length, pairs.rejected);
  std::size_t const n = pairs.chosen.size();
  std::vector<T> d_chosen(n), d_rejected(n);
  auto pair_options = options;
  pair_options.gradient = gradient_write::assign;
  report const seen = evaluate_with<L, T, xsimd::default_arch>(loss,
                                                               {.chosen = chosen,
                                                                .rejected = rejected,
                                                                .ref_chosen = ref_chosen,
                                                                .ref_rejected = ref_rejected,
                                                                .chosen_length = chosen_length,
                                                                .rejected_length = rejected_length,
                                                                .weight = batch.weight,
                                                                .margin = batch.margin,
                                                                .label = batch.label,
                                                                .reliability = batch.reliability},
                                                               {.loss = outputs.loss,
                                                                .d_chosen = d_chosen,
                                                                .d_rejected = d_rejected,
                                                                .chosen_reward = outputs.chosen_reward,
                                                                .rejected_reward = outputs.rejected_reward,
                                                                .posterior = outputs.posterior},
                                                               pair_options, true);
  std::vector<double> sums(policy.sequences());
  for (std::size_t i = 0; i < n; ++i) {
    sums[pairs.chosen[i]] += static_cast<double>(d_chosen[i]);
    sums[pairs.rejected[i]] += static_cast<double>(d_rejected[i]);
  }
  std::vector<T> d_log_prob;
  for (double const sum : sums) d_log_prob.push_back(static_cast<T>(sum));
  finish_sequences(policy, kept, values, d_log_prob, outputs.log_prob, outputs.length, options);
  return seen;
}

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

template <class L, class P, class Reference, class T>
report evaluate_policy_groups(L const& loss, P const& policy, Reference const& reference, policy_groups<T> const& batch,
                              policy_group_outputs<T> const& outputs, options const& options) {
  policy.check("evaluate", options.gradient);
  std::int64_t const last = batch.offsets.empty() ? -1 : batch.offsets[batch.offsets.size() - 1];
  if (last < 0 || static_cast<std::uint64_t>(last) != policy.sequences()) {
    fail_evaluate((last < 0 ? "offsets is empty or ends below 0" : "offsets ends at " + std::to_string(last)) +
                  ", the policy has " + text(policy.sequences()) + " sequences");
  }
  typename P::state kept;
  auto const values =
      read_sequences(loss, policy, kept, reference, batch.ref_log_prob, outputs.log_prob, outputs.length, options);
  bool const measured = needs(loss, columns::length) || (batch.per_token && reads(loss, columns::length));
  if (!measured) check_no_sequence_is_empty(column<T>{values.length}, options.empty);
  std::vector<T> d_log_prob(values.log_prob.size());
  auto group_options = options;
  group_options.gradient = gradient_write::assign;
  report const seen = evaluate(loss,
                               list_batch<T>{.logp = values.log_prob,
                                             .ref_logp = values.ref_log_prob,
                                             .length = measured ? column<T>{values.length} : column<T>{},
                                             .reward = batch.reward,
                                             .target = batch.target,
                                             .weight = batch.weight,
                                             .offsets = batch.offsets},
                               {.loss = outputs.loss, .d_logp = d_log_prob}, group_options);
  finish_sequences(policy, kept, values, d_log_prob, outputs.log_prob, outputs.length, options);
  return seen;
}

}  // namespace detail

/// The whole chain in one call: the policy's output (logits, or hidden states and a head) to token log-probs, sequence
/// scores and the loss, and the gradient all the way back into what the policy says.
///     batch      which sequences are compared; what a pair_batch has but the policy gives (log-probs, lengths) is not
///                there. A completion without a token follows options.empty for every loss
///     gradient   of the reduced loss; options.gradient says whether it replaces or is added. Written last: an error
///                leaves it untouched
///     memory     O(tokens) beyond the policy's own
///     errors     as evaluate for a pair_batch, and the policy's
template <evaluable_pair_loss L, sequence_policy P>
report evaluate(L const& loss, P const& policy, policy_pairs<typename P::value_type> const& batch,
                policy_pair_outputs<typename P::value_type> const& outputs = {}, options const& options = {}) {
  return detail::with_ranks(options, [&](auto const& own) {
    return detail::evaluate_policy_pairs(loss, policy, detail::no_sequence_policy{}, batch, outputs, own);
  });
}

/// The same with the reference policy's own output, of as many sequences, instead of the column ref_log_prob.
template <evaluable_pair_loss L, sequence_policy P, sequence_policy Reference>
report evaluate(L const& loss, P const& policy, Reference const& reference,
                policy_pairs<typename P::value_type> const& batch,
                policy_pair_outputs<typename P::value_type> const& outputs = {}, options const& options = {}) {
  return detail::with_ranks(options, [&](auto const& own) {
    return detail::evaluate_policy_pairs(loss, policy, reference, batch, outputs, own);
  });
}

/// The same for groups of candidates and any list loss. A candidate without a token is an error unless options.empty
/// is propagate, or skip and the loss reads lengths.
template <evaluable_list_loss L, sequence_policy P>
report evaluate(L const& loss, P const& policy, policy_groups<typename P::value_type> const& batch,
                policy_group_outputs<typename P::value_type> const& outputs = {}, options const& options = {}) {
  return detail::with_ranks(options, [&](auto const& own) {
    return detail::evaluate_policy_groups(loss, policy, detail::no_sequence_policy{}, batch, outputs, own);
  });
}

template <evaluable_list_loss L, sequence_policy P, sequence_policy Reference>
report evaluate(L const& loss, P const& policy, Reference const& reference,
                policy_groups<typename P::value_type> const& batch,
                policy_group_outputs<typename P::value_type> const& outputs = {}, options const& options = {}) {
  return detail::with_ranks(options, [&](auto const& own) {
    return detail::evaluate_policy_groups(loss, policy, reference, batch, outputs, own);
  });
}

}  // namespace prefopt::inline PREFOPT_ABI
