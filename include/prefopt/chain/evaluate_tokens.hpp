#pragma once

#include <cstddef>
#include <prefopt/engine/evaluate.hpp>
#include <prefopt/logprob/sequence.hpp>
#include <vector>

namespace prefopt::inline PREFOPT_ABI {

/// Pairs of completions as token log-probs. The reference comes as sequence sums (`sequence_log_probs` makes them),
/// lengths are counted from the tokens.
template <token_view Tokens>
struct token_pair_batch {
  using T = typename Tokens::value_type;
  Tokens chosen{}, rejected{};
  column<T> ref_chosen{}, ref_rejected{};
  column<T> weight{}, margin{}, label{}, reliability{};
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

template <class L, token_view Tokens>
report evaluate_token_pairs(L const& loss, token_pair_batch<Tokens> const& batch,
                            token_pair_outputs<Tokens> const& outputs, options const& options) {
  using T = typename Tokens::value_type;
  std::size_t const n = batch.chosen.sequences();
  batch.chosen.check("evaluate: chosen");
  batch.rejected.check("evaluate: rejected");
  if (batch.rejected.sequences() != n) {
    fail("evaluate", "rejected has " + text(batch.rejected.sequences()) + " sequences, chosen has " + text(n));
  }
  bool const wants_chosen = Tokens::wanted(outputs.d_chosen), wants_rejected = Tokens::wanted(outputs.d_rejected);
  if (wants_chosen) batch.chosen.check("evaluate: d_chosen", outputs.d_chosen);
  if (wants_rejected) batch.rejected.check("evaluate: d_rejected", outputs.d_rejected);

  std::vector<T> chosen(n), rejected(n), chosen_length(n), rejected_length(n), d_chosen(n), d_rejected(n);
  sequence_log_probs(batch.chosen, {.log_prob = chosen, .length = chosen_length}, options.executor);
  sequence_log_probs(batch.rejected, {.log_prob = rejected, .length = rejected_length}, options.executor);
  pair_outputs<T> results{.loss = outputs.loss,
                          .chosen_reward = outputs.chosen_reward,
                          .rejected_reward = outputs.rejected_reward,
                          .posterior = outputs.posterior};
  if (wants_chosen) results.d_chosen = d_chosen;
  if (wants_rejected) results.d_rejected = d_rejected;
  auto sequence_options = options;
  sequence_options.gradient = gradient_write::assign;
  report const seen = evaluate_with<L, T, xsimd::default_arch>(loss,
                                                               {.chosen = chosen,
                                                                .rejected = rejected,
                                                                .ref_chosen = batch.ref_chosen,
                                                                .ref_rejected = batch.ref_rejected,
                                                                .chosen_length = chosen_length,
                                                                .rejected_length = rejected_length,
                                                                .weight = batch.weight,
                                                                .margin = batch.margin,
                                                                .label = batch.label,
                                                                .reliability = batch.reliability},
                                                               results, sequence_options, true);
  if (wants_chosen) token_gradients(batch.chosen, d_chosen, outputs.d_chosen, options.gradient, options.executor);
  if (wants_rejected)
    token_gradients(batch.rejected, d_rejected, outputs.d_rejected, options.gradient, options.executor);
  return seen;
}

}  // namespace detail

/// A loss from token log-probs to the gradient of every token. As `evaluate` for a pair_batch, and a completion without
/// a token follows `options.empty` for every loss. Allocates a few values per sequence.
template <evaluable_pair_loss L, token_view Tokens>
report evaluate(L const& loss, token_pair_batch<Tokens> const& batch,
                std::type_identity_t<token_pair_outputs<Tokens>> const& outputs = {}, options const& options = {}) {
  return detail::with_ranks(options,
                            [&](auto const& own) { return detail::evaluate_token_pairs(loss, batch, outputs, own); });
}

}  // namespace prefopt::inline PREFOPT_ABI
