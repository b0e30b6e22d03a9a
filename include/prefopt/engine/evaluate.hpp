#pragma once

#include <concepts>
#include <prefopt/engine/list_engine.hpp>
#include <prefopt/engine/pair_engine.hpp>
#include <type_traits>

namespace prefopt::inline PREFOPT_ABI {

/// True for a loss whose type is known at run time only, see any.hpp.
template <class L>
inline constexpr bool is_erased_pair_loss = false;

/// What `evaluate` takes for pairs: a pair loss of any contract, or one chosen at run time.
template <class L>
concept evaluable_pair_loss = is_erased_pair_loss<L> || pair_loss<L>;

/// The same for list losses, see any_list.hpp.
template <class L>
inline constexpr bool is_erased_list_loss = false;

/// What `evaluate` takes for groups.
template <class L>
concept evaluable_list_loss = is_erased_list_loss<L> || list_loss<L>;

namespace detail {

template <class T>
concept computed_in = std::same_as<T, float> || std::same_as<T, double>;

template <class L, class T, class Arch>
report evaluate_with(L const& loss, pair_batch<T> const& batch, pair_outputs<T> const& outputs, options const& options,
                     bool lengths_mark_empty) {
  if constexpr (is_erased_pair_loss<L>) {
    return loss.run(batch, outputs, options, lengths_mark_empty);
  } else {
    check_parameters(loss);
    auto const resolved = resolve(loss);
    using resolved_type = std::remove_const_t<decltype(resolved)>;
    return evaluate_pairs<T, Arch>(traits_of<L>, &run_pair_kernel<resolved_type, T, Arch>, &resolved,
                                   reward_scale(resolved), batch, outputs, options, lengths_mark_empty);
  }
}

template <class L, class T, class Arch>
report evaluate_with(L const& loss, list_batch<T> const& batch, list_outputs<T> const& outputs,
                     options const& options) {
  if constexpr (is_erased_list_loss<L>) {
    return loss.run(batch, outputs, options);
  } else {
    check_parameters(loss);
    auto const resolved = resolve(loss);
    using resolved_type = std::remove_const_t<decltype(resolved)>;
    return evaluate_lists<T, Arch>(facts_of<L>(resolved), &run_list_kernel<resolved_type, T, Arch>, &resolved, batch,
                                   outputs, options);
  }
}

template <evaluable_pair_loss L>
bool needs(L const& loss, columns which) {
  if constexpr (is_erased_pair_loss<L>) {
    return loss.needs(which);
  } else {
    return contains(traits_of<L>.needs, which);
  }
}

template <evaluable_list_loss L>
bool needs(L const& loss, columns which) {
  if constexpr (is_erased_list_loss<L>) {
    return loss.needs(which);
  } else {
    return contains(facts_of<L>(resolve(loss)).needs, which);
  }
}

template <evaluable_list_loss L>
bool reads(L const& loss, columns which) {
  if constexpr (is_erased_list_loss<L>) {
    return loss.reads(which);
  } else {
    return facts_of<L>(resolve(loss)).reads(which);
  }
}

}  // namespace detail

/// A loss over a batch of pairs: each pair's value, the gradients by `chosen` and `rejected`, and the report, in one
/// pass.
///     reads      the columns that the loss names; `weight` always if given
///     writes     the outputs that are not empty; an output may be the same memory as an input column, element for
///     element results    depend on the pair alone for each pair, and for the report on the batch alone: not on
///     position,
///                executor or alignment
///     throws     std::invalid_argument, before anything is written: a parameter or option out of range; sizes that
///                differ; a column that the loss needs and does not get, or gets and does not read; length or weight
///                < 0; label or reliability outside [0, 1]; and what `options.non_finite` and `options.empty` call
///                errors
/// Float is computed in float, double in double; sums over the batch in blocks, then in double.
template <class Arch = xsimd::default_arch, evaluable_pair_loss L, detail::computed_in T>
report evaluate(L const& loss, pair_batch<T> const& batch, std::type_identity_t<pair_outputs<T>> const& outputs = {},
                options const& options = {}) {
  return detail::with_ranks(
      options, [&](auto const& own) { return detail::evaluate_with<L, T, Arch>(loss, batch, outputs, own, false); });
}

/// A loss over groups of candidates: each group's value, the gradient by every candidate's log-prob, and the report.
///     reads      the columns that the loss names; `weight` always if given
///     writes     the outputs that are not empty; d_logp may be the same memory as an input column
///     results    of a group depend on that group alone: not on its place, its neighbours, executor or alignment
///     memory     O(candidates of the largest group) if that has more than 64, for each of at most 64 parts
///     throws     std::invalid_argument, before anything is written: a parameter or option out of range; offsets that
///                fall or do not span logp; sizes that differ; a column that the loss needs and does not get, or gets
///                and does not read; length, target or weight < 0; weights that differ in a group; ties where the loss
///                refuses them; and what `options.non_finite` and `options.empty` call errors
/// A group without a candidate follows `options.empty`, as one with a candidate of length 0.
template <class Arch = xsimd::default_arch, evaluable_list_loss L, detail::computed_in T>
report evaluate(L const& loss, list_batch<T> const& batch, std::type_identity_t<list_outputs<T>> const& outputs = {},
                options const& options = {}) {
  return detail::with_ranks(
      options, [&](auto const& own) { return detail::evaluate_with<L, T, Arch>(loss, batch, outputs, own); });
}

}  // namespace prefopt::inline PREFOPT_ABI
