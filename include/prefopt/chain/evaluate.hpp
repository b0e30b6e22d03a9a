#pragma once

#include <cstddef>
#include <optional>
#include <prefopt/chain/compared.hpp>
#include <prefopt/chain/sequence_policy.hpp>
#include <prefopt/chain/sharing_ranks.hpp>
#include <prefopt/chain/token_policy.hpp>
#include <prefopt/engine/evaluate.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace prefopt::inline PREFOPT_ABI {

/// Pairs of completions as token log-probs. The reference comes as sequence sums (`sequence_log_probs` makes them),
/// lengths are counted from the tokens.
template <token_view Tokens>
struct token_pair_batch {
  using T = typename Tokens::value_type;
  Tokens chosen{}, rejected{};
  column<T> ref_chosen{}, ref_rejected{};
  column<T> weight{};
  PREFOPT_PAIR_COLUMNS(PREFOPT_COLUMN_MEMBER, column<T>)
};

/// Where results go: gradients in the shape of the tokens, everything else a value per pair.
template <token_view Tokens>
struct token_pair_outputs {
  using T = typename Tokens::value_type;
  output<T> loss{};
  typename Tokens::gradient d_chosen{}, d_rejected{};
  output<T> chosen_reward{}, rejected_reward{}, posterior{};
};

namespace detail {

/// The loss of a policy's sequences and the gradient back into it. The reference is a policy, or a column of numbers.
template <class Family, class T>
report evaluate_policy(loss_ref<Family, T> const& loss, sharing_ranks& ranks, policy_ref<T> const& policy,
                       std::optional<policy_ref<T>> const& reference,
                       typename compared<Family, T>::batch_type const& batch,
                       typename compared<Family, T>::outputs_type const& outputs, options const& options) {
  policy.check("evaluate", options.gradient);
  std::size_t const n = policy.sequences();
  compared<Family, T> sequences{batch, n};
  auto const check_size = [&](char const* name, bool given, std::size_t size) {
    if (!given || size == n) return;
    fail_evaluate(std::string{name} + " has " + elements(size) + ", the policy has " + text(n) + " sequences");
  };
  check_size("ref_log_prob", batch.ref_log_prob.is_given(), batch.ref_log_prob.size());
  check_size("output log_prob", !outputs.log_prob.empty(), outputs.log_prob.size());
  check_size("output length", !outputs.length.empty(), outputs.length.size());
  sequence_values<T> values;
  values.log_prob.resize(n);
  values.length.resize(n);
  if (reference) {
    if (batch.ref_log_prob.is_given()) fail_evaluate("ref_log_prob and a reference policy are both given");
    reference->check("evaluate: reference", gradient_write::assign);
    if (reference->sequences() != n) {
      fail_evaluate("the reference has " + text(reference->sequences()) + " sequences, the policy has " + text(n));
    }
    if (reference->wants_gradient()) {
      fail_evaluate("the reference has a gradient to be written, which is never computed");
    }
    check_counted(policy.layout(), reference->layout());
    values.ref_log_prob.resize(n);
  } else {
    if (!batch.ref_log_prob.is_given() && n != 0 && contains(loss.facts.needs, columns::reference)) {
      fail_evaluate("the loss needs ref_log_prob or a reference policy, and neither is given");
    }
    for (std::size_t i = 0; i < batch.ref_log_prob.size(); ++i) values.ref_log_prob.push_back(batch.ref_log_prob[i]);
  }
  values.has_reference = reference || batch.ref_log_prob.is_given();
  token_layout layout;
  ranks.compute([&] {
    if (reference) read_sequences<T>(*reference, {.log_prob = values.ref_log_prob}, options.executor);
    layout = read_sequences<T>(policy, {.log_prob = values.log_prob, .length = values.length}, options.executor);
  });
  auto own = options;
  own.gradient = gradient_write::assign;
  report const seen = sequences.evaluate(loss, values, outputs, own);
  for (std::size_t i = 0; i < n; ++i) {
    put(outputs.log_prob, i, static_cast<double>(values.log_prob[i]));
    put(outputs.length, i, static_cast<double>(values.length[i]));
  }
  if (policy.wants_gradient()) {
    auto const d_log_prob = sequences.d_log_prob();
    write_back<T>(policy, layout, d_log_prob, options.gradient, options.executor);
  }
  return seen;
}

/// The chosen and the rejected completions of pairs, each a policy of token log-probs, for one call.
template <class T>
report evaluate_token_pairs(loss_ref<pair_family, T> const& loss, policy_ref<T> const& chosen,
                            policy_ref<T> const& rejected, pair_batch<T> batch, pair_outputs<T> outputs,
                            options const& options) {
  std::size_t const n = chosen.sequences();
  std::vector<T> log_prob[2], length[2], gradient[2];
  token_layout layout[2];
  policy_ref<T> const* const policies[2]{&chosen, &rejected};
  for (std::size_t i = 0; i < 2; ++i) {
    for (auto* values : {&log_prob[i], &length[i], &gradient[i]}) values->resize(n);
    layout[i] = read_sequences<T>(*policies[i], {.log_prob = log_prob[i], .length = length[i]}, options.executor);
  }
  batch.chosen = log_prob[0];
  batch.rejected = log_prob[1];
  batch.chosen_length = length[0];
  batch.rejected_length = length[1];
  if (chosen.wants_gradient()) outputs.d_chosen = gradient[0];
  if (rejected.wants_gradient()) outputs.d_rejected = gradient[1];
  auto own = options;
  own.gradient = gradient_write::assign;
  report const seen = evaluate_batch<pair_family, T>(loss, batch, outputs, own, true);
  for (std::size_t i = 0; i < 2; ++i) {
    if (!policies[i]->wants_gradient()) continue;
    write_back<T>(*policies[i], layout[i], gradient[i], options.gradient, options.executor);
  }
  return seen;
}

template <token_view Tokens>
void check_token_pairs(token_pair_batch<Tokens> const& batch, token_pair_outputs<Tokens> const& outputs) {
  batch.chosen.check("evaluate: chosen");
  batch.rejected.check("evaluate: rejected");
  if (batch.rejected.sequences() != batch.chosen.sequences()) {
    fail_evaluate("rejected has " + text(batch.rejected.sequences()) + " sequences, chosen has " +
                  text(batch.chosen.sequences()));
  }
  if (Tokens::wanted(outputs.d_chosen)) batch.chosen.check("evaluate: d_chosen", outputs.d_chosen);
  if (Tokens::wanted(outputs.d_rejected)) batch.rejected.check("evaluate: d_rejected", outputs.d_rejected);
}

/// What `evaluate` over a policy P takes for the loss L.
template <class L, class P>
using policy_batch_of = typename compared<family_of<L>, typename P::value_type>::batch_type;
template <class L, class P>
using policy_outputs_of = typename compared<family_of<L>, typename P::value_type>::outputs_type;

}  // namespace detail

/// A loss from token log-probs to the gradient of every token. As `evaluate` for a pair_batch, and a completion without
/// a token follows `options.empty` for every loss. Allocates a few values per sequence, and some 20 bytes a token.
template <class Arch = default_instruction_set, evaluable_pair_loss L, token_view Tokens>
report evaluate(L const& loss, token_pair_batch<Tokens> const& batch,
                std::type_identity_t<token_pair_outputs<Tokens>> const& outputs = {}, options const& options = {}) {
  using T = typename Tokens::value_type;
  return detail::with_ranks(options, [&](auto const& own) {
    return detail::with_loss_ref<Arch, T>(loss, [&](auto const& ref) {
      detail::check_token_pairs(batch, outputs);
      token_policy<Tokens> const chosen{batch.chosen, outputs.d_chosen}, rejected{batch.rejected, outputs.d_rejected};
      typename token_policy<Tokens>::state unused;
      std::type_identity<Arch> const arch;
      pair_batch<T> pairs{.ref_chosen = batch.ref_chosen, .ref_rejected = batch.ref_rejected};
      detail::copy_pair_columns(pairs, batch);
      return detail::evaluate_token_pairs<T>(ref, detail::policy_ref<T>{arch, chosen, unused},
                                             detail::policy_ref<T>{arch, rejected, unused}, pairs,
                                             {.loss = outputs.loss,
                                              .chosen_reward = outputs.chosen_reward,
                                              .rejected_reward = outputs.rejected_reward,
                                              .posterior = outputs.posterior},
                                             own);
    });
  });
}

/// The whole chain in one call: the policy's output (logits, or hidden states and a head) to token log-probs, sequence
/// scores and the loss, and the gradient all the way back into what the policy says.
///     batch      which sequences are compared: `policy_pairs` for a pair loss, `policy_groups` for a list loss,
///                `policy_completions` for an unpaired one. What the policy gives (log-probs, lengths) is not there. A
///                completion without a token follows options.empty; for a list loss it is an error unless options.empty
///                is propagate, or skip and the loss reads lengths
///     gradient   of the reduced loss; options.gradient says whether it replaces or is added. Written last: an error
///                leaves it untouched
///     memory     O(tokens) beyond the policy's own
///     errors     as evaluate for a batch of log-probs, and the policy's
template <class Arch = default_instruction_set, evaluable_loss L, sequence_policy P>
report evaluate(L const& loss, P const& policy, detail::policy_batch_of<L, P> const& batch,
                detail::policy_outputs_of<L, P> const& outputs = {}, options const& options = {}) {
  using T = typename P::value_type;
  detail::sharing_ranks ranks{policy, options.all_reduce};
  return detail::with_ranks(ranks.with(options), [&](auto const& own) {
    return detail::with_loss_ref<Arch, T>(loss, [&](auto const& ref) {
      typename P::state kept;
      return detail::evaluate_policy<detail::family_of<L>, T>(
          ref, ranks, detail::policy_ref<T>{std::type_identity<Arch>{}, policy, kept}, std::nullopt, batch, outputs,
          own);
    });
  });
}

/// The same with the reference policy's own output instead of the column ref_log_prob, of as many sequences; where these
/// lie as the policy's the same tokens count. Other tokens, of another tokenizer, are for sums of log-probs alone.
template <class Arch = default_instruction_set, evaluable_loss L, sequence_policy P, sequence_policy Reference>
report evaluate(L const& loss, P const& policy, Reference const& reference, detail::policy_batch_of<L, P> const& batch,
                detail::policy_outputs_of<L, P> const& outputs = {}, options const& options = {}) {
  using T = typename P::value_type;
  detail::sharing_ranks ranks{policy, reference, options.all_reduce};
  return detail::with_ranks(ranks.with(options), [&](auto const& own) {
    return detail::with_loss_ref<Arch, T>(loss, [&](auto const& ref) {
      typename P::state kept;
      typename Reference::state kept_of_reference;
      std::type_identity<Arch> const arch;
      return detail::evaluate_policy<detail::family_of<L>, T>(ref, ranks, detail::policy_ref<T>{arch, policy, kept},
                                                              detail::policy_ref<T>{arch, reference, kept_of_reference},
                                                              batch, outputs, own);
    });
  });
}

}  // namespace prefopt::inline PREFOPT_ABI
