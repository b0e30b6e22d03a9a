#pragma once

#include <torch/autograd.h>
#include <torch/types.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <prefopt/adapter/torch_log_probs.hpp>
#include <prefopt/chain/compared.hpp>
#include <prefopt/chain/logit_policy.hpp>
#include <string>
#include <utility>
#include <vector>

// libtorch: losses from logits, and what torch_log_probs.hpp has from log-probs, whose rules are the same.

namespace prefopt::inline PREFOPT_ABI {

/// A policy's logits: [sequences, tokens, vocabulary], or [tokens, vocabulary] of sequences one behind the other.
/// float32, float64, float16 or bfloat16, on the CPU, read where they lie if the vocabulary's stride is 1.
struct torch_logits {
  at::Tensor logits{};   ///< get the gradient
  at::Tensor labels{};   ///< integers of the shape without vocabulary: the token that the row predicts, or ignore_index
  at::Tensor offsets{};  ///< integers, sequences + 1 of them: of logits with two dimensions
  std::int64_t ignore_index = -100;
  at::Tensor weight{};  ///< of the labels' shape: a factor of the row's log-prob in its sequence's, a constant
  logit_transform transform{};
};

/// Preference pairs among the sequences of logits, see policy_pairs.
struct torch_policy_pairs {
  at::Tensor chosen{}, rejected{};  ///< integers; neither given: the first half, and the second in order
  at::Tensor ref_log_prob{};        ///< one a sequence
  at::Tensor weight{};              ///< one a pair, as the following
  PREFOPT_PAIR_COLUMNS(PREFOPT_COLUMN_MEMBER, at::Tensor)
};

/// The sequences of logits as groups of candidates, see policy_groups.
struct torch_policy_groups {
  at::Tensor offsets{};  ///< integers, groups + 1 of them
  at::Tensor ref_log_prob{}, reward{}, target{}, weight{};
  bool per_token = false;
};

/// The sequences of logits as single completions, see policy_completions.
struct torch_policy_completions {
  at::Tensor ref_log_prob{}, label{}, target{}, weight{}, kl_logp{}, ref_kl_logp{};
};

/// Of the sequences of logits.
struct torch_sequences {
  at::Tensor log_prob{};  ///< with its grad_fn: sum over the counted tokens
  at::Tensor length{};    ///< their number
};

namespace detail {

inline void check_logit_type(char const* where, at::Tensor const& logits) {
  for (auto const type : {at::kFloat, at::kDouble, at::kHalf, at::kBFloat16}) {
    if (logits.scalar_type() == type) return;
  }
  fail(where, std::string{"logits is of type "} + at::toString(logits.scalar_type()) +
                  ", expected float32, float64, float16 or bfloat16");
}

/// Which token each row of logits predicts and which rows make a sequence: contiguous integers that go with the logits.
struct torch_rows {
  at::Tensor labels, offsets, weight{};
  std::int64_t ignore_index;
  logit_transform transform;

  /// Checks all of what is given.
  torch_rows(char const* where, torch_logits const& given)
      : ignore_index{given.ignore_index}, transform{given.transform} {
    auto const& logits = given.logits;
    if (!logits.defined()) fail(where, "logits is not given");
    if (!given.labels.defined()) fail(where, "labels is not given");
    check_readable(where, "logits", logits);
    check_logit_type(where, logits);
    checked_transform(where, transform);
    if (!logits.is_cpu()) {
      fail(where, "logits is on the device " + logits.device().str() +
                      ", expected cpu: make log-probs of it there, which torch_pairs and torch_groups take");
    }
    bool const is_packed = logits.dim() == 2;
    if (!is_packed && logits.dim() != 3) {
      fail(where, "logits has the shape " + shape(logits) +
                      ", expected [sequences, tokens, vocabulary], or [tokens, vocabulary] and offsets");
    }
    if (given.labels.sizes() != logits.sizes().slice(0, static_cast<std::size_t>(logits.dim() - 1))) {
      fail(where, "labels has the shape " + shape(given.labels) +
                      ", expected one a row of logits, which has the shape " + shape(logits));
    }
    if (given.weight.defined()) {
      check_readable(where, "weight", given.weight);
      if (given.weight.sizes() != given.labels.sizes()) {
        fail(where, "weight has the shape " + shape(given.weight) + ", labels has " + shape(given.labels));
      }
      if (!at::isFloatingType(given.weight.scalar_type()) && !at::isIntegralType(given.weight.scalar_type(), true)) {
        fail(where,
             std::string{"weight is of type "} + at::toString(given.weight.scalar_type()) + ", expected real numbers");
      }
      weight = given.weight.detach().to(at::kCPU, at::kDouble).resolve_neg().contiguous();
    }
    if (is_packed != given.offsets.defined()) {
      fail(where, is_packed ? "offsets is not given, which logits of two dimensions need"
                            : "offsets is given, which logits of three dimensions do without");
    }
    labels = integers(where, "labels", given.labels);
    offsets = is_packed ? integer_vector(where, "offsets", given.offsets)
                        : at::arange(logits.size(0) + 1, at::kLong) * logits.size(1);
    auto const all = integer_column(labels);
    check_labels(where, all, all.size(), static_cast<std::size_t>(logits.size(-1)), ignore_index);
    if (is_packed || offsets.numel() > 1) {
      token_rows{.labels = all, .offsets = integer_column(offsets), .ignore_index = ignore_index}.check(where);
    }
  }

  [[nodiscard]] std::size_t sequences() const {
    return offsets.numel() == 0 ? 0 : static_cast<std::size_t>(offsets.numel() - 1);
  }

  /// All rows in one policy, if they are evenly apart, otherwise a policy for each sequence.
  template <class U>
  [[nodiscard]] std::vector<logit_policy<U>> policies(at::Tensor const& logits, at::Tensor const& d_logits) const {
    bool const is_packed = logits.dim() == 2;
    std::int64_t const outer = is_packed ? 1 : logits.size(0), inner = logits.size(-2);
    bool const is_even = outer <= 1 || inner == 1 || logits.stride(0) == inner * logits.stride(1);
    auto const part = [&](at::Tensor const& tensor, std::int64_t i) {
      std::int64_t const apart = is_packed ? 0 : tensor.stride(0);
      return row_major<U>{tensor.data_ptr<U>() + i * apart, static_cast<std::size_t>(is_even ? outer * inner : inner),
                          static_cast<std::size_t>(tensor.size(-1)),
                          outer > 1 && inner == 1 ? apart : tensor.stride(-2)};
    };
    std::vector<logit_policy<U>> parts;
    for (std::int64_t i = 0; i < (is_even ? 1 : outer); ++i) {
      logit_policy<U> policy{.logits = part(logits, i), .transform = transform};
      policy.tokens = {.labels = {labels.data_ptr<std::int64_t>() + i * inner, policy.logits.rows()},
                       .offsets = {offsets.data_ptr<std::int64_t>(), is_even ? sequences() + 1 : 2},
                       .ignore_index = ignore_index};
      if (weight.defined()) policy.tokens.weight = {weight.data_ptr<double>() + i * inner, policy.logits.rows()};
      if (d_logits.defined()) policy.d_logits = part(d_logits, i);
      parts.push_back(policy);
    }
    return parts;
  }
};

/// What the forward pass leaves for backward, beside the logits.
template <class U>
struct torch_log_prob_state : torch::CustomClassHolder {
  torch_rows rows;
  prefopt::executor executor;
  std::vector<typename logit_policy<U>::state> parts{};

  torch_log_prob_state(torch_rows const& given, prefopt::executor const& run) : rows{given}, executor{run} {}
};

template <class U>
struct torch_log_prob_function : torch::autograd::Function<torch_log_prob_function<U>> {
  using state = torch_log_prob_state<U>;
  using T = computed_of<U>;
  struct known_log_prob {
    at::Tensor values;
    c10::intrusive_ptr<state> kept;
  };

  static at::Tensor forward(torch::autograd::AutogradContext* context, at::Tensor const& logits,
                            known_log_prob const& known) {
    // These are read again, and may lie where the caller has them: torch sees whether they have changed.
    auto const& rows = known.kept->rows;
    context->save_for_backward({logits, rows.labels, rows.offsets, rows.weight});
    context->saved_data["kept"] = c10::IValue::make_capsule(known.kept);
    return known.values;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list const& d_log_prob) {
    at::Tensor const logits = context->get_saved_variables()[0];
    auto const kept = c10::static_intrusive_pointer_cast<state>(context->saved_data["kept"].toCapsule());
    at::Tensor const d_logits = at::empty(logits.sizes(), logits.options().requires_grad(false));
    at::Tensor const d = d_log_prob[0].detach().resolve_neg().contiguous();
    auto const parts = kept->rows.template policies<U>(logits, d_logits);
    std::size_t begin = 0;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      std::size_t const count = parts[i].sequences();
      policy_ref<T> const part{std::type_identity<default_instruction_set>{}, parts[i], kept->parts[i]};
      write_back<T>(part, part.layout(), {d.data_ptr<T>() + begin, count}, gradient_write::assign, kept->executor);
      begin += count;
    }
    return {torch_second_derivative::guarded(d_logits), {}};
  }
};

template <class U>
torch_sequences log_probs_of(torch_rows const& rows, at::Tensor const& given, executor const& run) {
  using function = torch_log_prob_function<U>;
  using T = computed_of<U>;
  at::Tensor const plain = given.resolve_neg();
  at::Tensor const logits = plain.stride(-1) == 1 || plain.size(-1) <= 1 ? plain : plain.contiguous();
  bool const wanted = wants_gradient(logits);
  torch_sequences const result{.log_prob = new_vector<T>(rows.sequences()), .length = new_vector<T>(rows.sequences())};
  auto const kept = c10::make_intrusive<typename function::state>(rows, run);
  // A gradient in place of the logits: the forward pass keeps what one needs, and does not write.
  auto const parts = rows.policies<U>(logits, wanted ? logits : at::Tensor{});
  std::size_t begin = 0;
  for (auto const& part : parts) {
    std::size_t const count = part.sequences();
    read_sequences<T>(policy_ref<T>{std::type_identity<default_instruction_set>{}, part, kept->parts.emplace_back()},
                      {.log_prob = {result.log_prob.data_ptr<T>() + begin, count},
                       .length = {result.length.data_ptr<T>() + begin, count}},
                      run);
    begin += count;
  }
  if (!wanted) return result;
  return {function::apply(logits, typename function::known_log_prob{result.log_prob, kept}), result.length};
}

/// Of logits that have been checked.
inline torch_sequences log_probs_of_any(torch_rows const& rows, at::Tensor const& logits, executor const& run) {
  switch (logits.scalar_type()) {
    case at::kDouble:
      return log_probs_of<double>(rows, logits, run);
    case at::kHalf:
      return log_probs_of<at::Half>(rows, logits, run);
    case at::kBFloat16:
      return log_probs_of<at::BFloat16>(rows, logits, run);
    default:
      return log_probs_of<float>(rows, logits, run);
  }
}

inline void check_sequence_reference(loss_facts const& loss, at::Tensor const& ref_log_prob, torch_rows const& rows) {
  check_column(torch_evaluate_name, "ref_log_prob", ref_log_prob);
  std::size_t const n = rows.sequences();
  if (!ref_log_prob.defined()) {
    if (n != 0 && contains(loss.needs, columns::reference)) {
      fail(torch_evaluate_name, "the loss needs ref_log_prob, which is not given");
    }
  } else if (static_cast<std::size_t>(ref_log_prob.numel()) != n) {
    fail(torch_evaluate_name, "ref_log_prob has " + elements(static_cast<std::size_t>(ref_log_prob.numel())) +
                                  ", there are " + text(n) + " sequences");
  }
}

inline at::Tensor index_tensor(std::vector<std::size_t> const& indices) {
  at::Tensor const all = at::empty({static_cast<std::int64_t>(indices.size())}, at::kLong);
  std::copy(indices.begin(), indices.end(), all.data_ptr<std::int64_t>());
  return all;
}

inline torch_loss torch_evaluate_logits(any_pair_loss const& loss, torch_logits const& logits,
                                        torch_policy_pairs const& pairs, options const& options) {
  check_torch_options(options);
  torch_rows const rows{torch_evaluate_name, logits};
  check_sequence_reference(loss.facts(), pairs.ref_log_prob, rows);
  at::Tensor const first = integer_vector(torch_evaluate_name, "chosen", pairs.chosen),
                   second = integer_vector(torch_evaluate_name, "rejected", pairs.rejected);
  paired_sequences const checked{integer_column(first), integer_column(second), rows.sequences()};
  at::Tensor const chosen = index_tensor(checked.chosen), rejected = index_tensor(checked.rejected);
  auto const [log_prob, length] = log_probs_of_any(rows, logits.logits, options.executor);
  torch_pairs batch{.chosen = log_prob.index_select(0, chosen),
                    .rejected = log_prob.index_select(0, rejected),
                    .chosen_length = length.index_select(0, chosen),
                    .rejected_length = length.index_select(0, rejected)};
  copy_pair_columns(batch, pairs);
  if (pairs.ref_log_prob.defined()) {
    at::Tensor const reference = pairs.ref_log_prob.detach().to(at::kCPU);
    batch.ref_chosen = reference.index_select(0, chosen);
    batch.ref_rejected = reference.index_select(0, rejected);
  }
  torch_loss result = torch_evaluate_batch<pair_family>(loss, batch, options, true);
  result.log_prob = log_prob;
  result.length = length;
  return result;
}

inline torch_loss torch_evaluate_logits(any_list_loss const& loss, torch_logits const& logits,
                                        torch_policy_groups const& groups, options const& options) {
  check_torch_options(options);
  torch_rows const rows{torch_evaluate_name, logits};
  check_sequence_reference(loss.facts(), groups.ref_log_prob, rows);
  auto const [log_prob, length] = log_probs_of_any(rows, logits.logits, options.executor);
  bool const measured = measures(loss.facts(), groups.per_token);
  if (!measured) {
    if (length.scalar_type() == at::kDouble) {
      check_no_sequence_is_empty(view<double>(length), options.empty);
    } else {
      check_no_sequence_is_empty(view<float>(length), options.empty);
    }
  }
  torch_loss result = torch_evaluate_batch<list_family>(loss,
                                                        {.logp = log_prob,
                                                         .ref_logp = groups.ref_log_prob,
                                                         .length = measured ? length : at::Tensor{},
                                                         .reward = groups.reward,
                                                         .target = groups.target,
                                                         .weight = groups.weight,
                                                         .offsets = groups.offsets},
                                                        options);
  result.log_prob = log_prob;
  result.length = length;
  return result;
}

inline torch_loss torch_evaluate_logits(any_unpaired_loss const& loss, torch_logits const& logits,
                                        torch_policy_completions const& completions, options const& options) {
  check_torch_options(options);
  torch_rows const rows{torch_evaluate_name, logits};
  check_sequence_reference(loss.facts(), completions.ref_log_prob, rows);
  auto const [log_prob, length] = log_probs_of_any(rows, logits.logits, options.executor);
  torch_loss result = torch_evaluate_batch<unpaired_family>(loss,
                                                            {.logp = log_prob,
                                                             .ref_logp = completions.ref_log_prob,
                                                             .length = length,
                                                             .label = completions.label,
                                                             .target = completions.target,
                                                             .weight = completions.weight,
                                                             .kl_logp = completions.kl_logp,
                                                             .ref_kl_logp = completions.ref_kl_logp},
                                                            options, true);
  result.log_prob = log_prob;
  result.length = length;
  return result;
}

}  // namespace detail

/// The log-probs of sequences from logits, with their gradient: row i predicts labels[i], so a model whose row t
/// predicts token t + 1 leaves out its last row and the first label. Rows with an ignored label are not read.
///     weight     the sums are of weight times log-prob (LD-DPO's, say: length_desensitized_weights); lengths count rows
///     computed   in float64 for float64 logits, otherwise in float32; the gradient has the type of the logits
///     memory     16 bytes a row, and labels that had to be converted, are kept for backward beside the logits
///                themselves; then the gradient by these
///     executor   is used in backward, too, and what it refers to has to live until then
inline torch_sequences torch_log_probs(torch_logits const& logits, executor const& run = {}) {
  constexpr char const* where = "torch_log_probs";
  detail::torch_rows const rows{where, logits};
  return detail::log_probs_of_any(rows, logits.logits, run);
}

/// A pair loss over logits, by torch_log_probs. The reference of a frozen policy is its torch_log_probs(...).log_prob.
template <evaluable_pair_loss L>
torch_loss torch_evaluate(L const& loss, torch_logits const& logits, torch_policy_pairs const& pairs,
                          options const& options = {}) {
  return detail::with_ranks(options,
                            [&](auto const& own) { return detail::torch_evaluate_logits(loss, logits, pairs, own); });
}

/// A list loss over logits, by torch_log_probs. A candidate without a token is an error unless options.empty is
/// propagate, or skip and the loss reads lengths.
template <evaluable_list_loss L>
torch_loss torch_evaluate(L const& loss, torch_logits const& logits, torch_policy_groups const& groups,
                          options const& options = {}) {
  return detail::with_ranks(options,
                            [&](auto const& own) { return detail::torch_evaluate_logits(loss, logits, groups, own); });
}

/// An unpaired loss over logits, by torch_log_probs.
template <evaluable_unpaired_loss L>
torch_loss torch_evaluate(L const& loss, torch_logits const& logits, torch_policy_completions const& completions,
                          options const& options = {}) {
  return detail::with_ranks(
      options, [&](auto const& own) { return detail::torch_evaluate_logits(loss, logits, completions, own); });
}

}  // namespace prefopt::inline PREFOPT_ABI
