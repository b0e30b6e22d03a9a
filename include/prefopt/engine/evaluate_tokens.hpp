#pragma once

#include <prefopt/engine/any_loss.hpp>
#include <prefopt/engine/token_engine.hpp>
#include <prefopt/engine/token_kernel.hpp>
#include <type_traits>

namespace prefopt::inline PREFOPT_ABI {

/// A surrogate whose type is known at run time only, and a policy-gradient loss of it: from `make_token_loss`.
using any_token_surrogate = any_loss<token_family>;
using any_token_loss = policy_gradient<any_token_surrogate>;

namespace detail {

/// Calls f(loss_ref, terms) for any policy-gradient loss or preset, with all its parameters checked.
template <class Arch, class T, class L, class F>
token_report with_token_loss(L const& loss, F const& f) {
  if constexpr (has_parameters<L>) check_parameters(loss);
  auto const given = resolve(loss);
  using surrogate = std::remove_cvref_t<decltype(given.surrogate)>;
  static_assert(
      is_any_loss<surrogate> || token_surrogate<surrogate>,
      "prefopt: a surrogate is a noexcept call operator from token_row<V> to token_value<V>, for V a number or "
      "lanes of them");
  auto const terms = terms_of(given);
  return with_loss_ref<Arch, T>(given.surrogate, [&](auto ref) {
    if constexpr (requires { L::card.name; }) ref.facts.name = L::card.name;
    check_terms(ref.facts.name, terms);
    return f(ref, terms);
  });
}

}  // namespace detail

/// A policy-gradient loss, or a preset, over the tokens of sampled sequences.
///     reads      the columns that the surrogate, the KL and the correction name; `mask` always if given; old_log_prob and
///                entropy also for the report
///     writes     the outputs that are not empty; an output may be the same memory as an input column, element for element
///     results    of a token depend on its sequence alone, and on the aggregation's denominator: not on position,
///                neighbours, executor or alignment
///     memory     two numbers a sequence; one byte a token for a surrogate that selects tokens, a number a token where
///                those off-policy are dropped
///     ranks      two calls of the all-reduce: counts, before anything is written, and the sums of the report
///     throws     std::invalid_argument, before anything is written: a parameter or option out of range; sizes that
///                differ; a column that the loss needs and does not get, or gets with values and does not read; a mask other
///                than 0 and 1; offsets that fall or do not span the tokens; under on_invalid::error a NaN or an infinity at
///                a token that counts
/// Under on_invalid::skip, such a token is left out as if it were masked. options.empty is not read: a sequence without a
/// counted token has nothing to compute, and is counted. Float is computed in float, double in double; sums over a
/// sequence in double.
template <class Arch = default_instruction_set, token_loss L, detail::computed_in T>
token_report evaluate(L const& loss, token_batch<T> const& batch,
                      std::type_identity_t<token_outputs<T>> const& outputs = {}, options const& options = {}) {
  return detail::with_ranks(options, [&](auto const& own) {
    return detail::with_token_loss<Arch, T>(loss, [&](auto const& ref, auto const& terms) {
      detail::check_options(own);
      detail::check_arithmetic<T>("evaluate", batch.log_prob.size());
      return detail::token_engine<T>{ref, terms, batch, outputs, own}.evaluate();
    });
  });
}

}  // namespace prefopt::inline PREFOPT_ABI
