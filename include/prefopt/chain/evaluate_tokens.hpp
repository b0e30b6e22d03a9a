#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <prefopt/chain/sequence_policy.hpp>
#include <prefopt/chain/sharing_ranks.hpp>
#include <prefopt/engine/evaluate_tokens.hpp>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace prefopt::inline PREFOPT_ABI {

/// What a policy-gradient loss takes beside a policy, one value for each of its tokens; what the policy gives (log-probs,
/// entropies, which tokens count and make a sequence) is not there. As the columns of a token_batch.
template <class T>
struct policy_tokens {
  column<T> old_log_prob{}, ref_log_prob{}, rollout_log_prob{};
  column<T> advantage{};  ///< one a token, or one a sequence
  column<T> mask{};       ///< of those that count with the policy, 0 for one that does not; not given: all
  column<std::int64_t> group_offsets{};  ///< groups of sequences
};

/// Where results go beside the policy's own gradient, each of one value a token or left empty.
template <class T>
struct policy_token_outputs {
  output<T> loss{};
  output<T> log_prob{};  ///< of a token that does not count anything
  output<T> entropy{};   ///< of a policy that knows it
};

namespace detail {

template <class T>
token_report evaluate_policy_tokens(loss_ref<token_family, T> const& loss, token_terms const& terms,
                                    sharing_ranks& ranks, policy_ref<T> const& policy,
                                    std::optional<policy_ref<T>> const& reference, policy_tokens<T> const& given,
                                    policy_token_outputs<T> const& outputs, options const& options) {
  policy.check("evaluate", options.gradient);
  auto const layout = policy.layout();
  std::size_t const n = layout.tokens();
  if (!layout.weight.empty()) {
    fail_evaluate("the policy has weights of tokens, which are of a sequence's score: a loss of tokens has none");
  }
  bool const has_bonus = terms.entropy_coefficient != 0, needs_entropy = has_bonus || !outputs.entropy.empty();
  if (needs_entropy && !policy.has_entropy()) fail_evaluate("the entropy is wanted, which this policy does not know");
  auto const check_size = [&](std::string_view name, std::size_t size) {
    if (size != 0 && size != n) {
      fail_evaluate({name, " has ", elements(size), ", the policy has ", text(n), " tokens"});
    }
  };
  if (given.mask.is_given() && given.mask.size() != n) {
    fail_evaluate({"mask has ", elements(given.mask.size()), ", the policy has ", text(n), " tokens"});
  }
  check_size("output log_prob", outputs.log_prob.size());
  check_size("output entropy", outputs.entropy.size());

  std::vector<double> values(n), entropies(needs_entropy ? n : 0);
  std::vector<T> of_reference;
  if (reference) {
    if (given.ref_log_prob.is_given()) fail_evaluate("ref_log_prob and a reference policy are both given");
    reference->check("evaluate: reference", gradient_write::assign);
    if (auto const own = reference->layout(); own.offsets != layout.offsets) {
      fail_evaluate({"the sequences of the reference have other lengths: it has ", text(own.tokens()),
                     " tokens, the policy has ", text(n)});
    }
    check_counted(layout, reference->layout());
    if (reference->wants_gradient()) {
      fail_evaluate("the reference has a gradient to be written, which is never computed");
    }
  }
  ranks.compute([&] {
    if (reference) {
      reference->log_probs(values, {}, options.executor);
      of_reference.assign(values.begin(), values.end());
    }
    policy.log_probs(values, entropies, options.executor);
  });
  std::vector<T> const log_prob(values.begin(), values.end()), entropy(entropies.begin(), entropies.end());
  std::vector<T> mask(n), d_log_prob(policy.wants_gradient() ? n : 0), d_entropy(has_bonus ? d_log_prob.size() : 0);
  for (std::size_t i = 0; i < n; ++i) {
    mask[i] = layout.counted[i] == 0 ? T(0) : !given.mask.is_given() ? T(1) : given.mask[i];
  }
  token_batch<T> const batch{.log_prob = log_prob,
                             .old_log_prob = given.old_log_prob,
                             .ref_log_prob = reference ? column<T>{of_reference} : given.ref_log_prob,
                             .rollout_log_prob = given.rollout_log_prob,
                             .advantage = given.advantage,
                             .mask = mask,
                             .entropy = column_if(needs_entropy, entropy),
                             .offsets = layout.offsets,
                             .group_offsets = given.group_offsets};
  auto own = options;
  own.gradient = gradient_write::assign;
  token_report const seen =
      token_engine<T>{loss, terms, batch, {.loss = outputs.loss, .d_log_prob = d_log_prob, .d_entropy = d_entropy}, own}
          .evaluate();
  for (std::size_t i = 0; i < n; ++i) put(outputs.log_prob, i, values[i]);
  for (std::size_t i = 0; i < outputs.entropy.size(); ++i) put(outputs.entropy, i, entropies[i]);
  if (policy.wants_gradient()) {
    std::copy(d_log_prob.begin(), d_log_prob.end(), values.begin());
    std::copy(d_entropy.begin(), d_entropy.end(), entropies.begin());
    policy.backward(values, has_bonus ? std::span<double const>{entropies} : std::span<double const>{},
                    options.gradient, options.executor);
  }
  return seen;
}

}  // namespace detail

/// The whole chain of a policy-gradient loss in one call: the policy's output (logits, or hidden states and a head) to
/// token log-probs, to the surrogate, and the gradient all the way back into what the policy says, that of the entropy
/// bonus in the same pass. Tokens whose label is the policy's ignore_index do not count.
///     gradient   of the aggregated loss; options.gradient says whether it replaces or is added. Written last: an error
///                leaves it untouched
///     memory     O(tokens) beyond the policy's own
///     errors     as evaluate for a token_batch, and the policy's
template <class Arch = default_instruction_set, token_loss L, sequence_policy P>
token_report evaluate(L const& loss, P const& policy,
                      std::type_identity_t<policy_tokens<typename P::value_type>> const& tokens,
                      std::type_identity_t<policy_token_outputs<typename P::value_type>> const& outputs = {},
                      options const& options = {}) {
  using T = typename P::value_type;
  detail::sharing_ranks ranks{policy, options.all_reduce};
  return detail::with_ranks(ranks.with(options), [&](auto const& own) {
    return detail::with_token_loss<Arch, T>(loss, [&](auto const& ref, auto const& terms) {
      detail::check_options(own);
      typename P::state kept;
      return detail::evaluate_policy_tokens<T>(ref, terms, ranks,
                                               detail::policy_ref<T>{std::type_identity<Arch>{}, policy, kept},
                                               std::nullopt, tokens, outputs, own);
    });
  });
}

/// The same with the reference policy's own output, of the same sequences, instead of the column ref_log_prob.
template <class Arch = default_instruction_set, token_loss L, sequence_policy P, sequence_policy Reference>
token_report evaluate(L const& loss, P const& policy, Reference const& reference,
                      std::type_identity_t<policy_tokens<typename P::value_type>> const& tokens,
                      std::type_identity_t<policy_token_outputs<typename P::value_type>> const& outputs = {},
                      options const& options = {}) {
  using T = typename P::value_type;
  detail::sharing_ranks ranks{policy, reference, options.all_reduce};
  return detail::with_ranks(ranks.with(options), [&](auto const& own) {
    return detail::with_token_loss<Arch, T>(loss, [&](auto const& ref, auto const& terms) {
      detail::check_options(own);
      typename P::state kept;
      typename Reference::state kept_of_reference;
      std::type_identity<Arch> const arch;
      return detail::evaluate_policy_tokens<T>(ref, terms, ranks, detail::policy_ref<T>{arch, policy, kept},
                                               detail::policy_ref<T>{arch, reference, kept_of_reference}, tokens,
                                               outputs, own);
    });
  });
}

}  // namespace prefopt::inline PREFOPT_ABI
