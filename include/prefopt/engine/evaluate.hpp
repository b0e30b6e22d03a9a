#pragma once

#include <prefopt/engine/evaluate_batch.hpp>
#include <type_traits>

namespace prefopt::inline PREFOPT_ABI {

/// A loss over a batch of pairs: each pair's value, the gradients by `chosen` and `rejected`, and the report, in one
/// pass.
///     reads      the columns that the loss names; `weight` always if given
///     writes     the outputs that are not empty; an output may be the same memory as an input column, element for
///                element
///     results    depend on the pair alone for each pair, and for the report on the batch alone: not on position,
///                executor or alignment
///     throws     std::invalid_argument, before anything is written: a parameter or option out of range; sizes that
///                differ; a column that the loss needs and does not get, or gets with values and does not read; length or
///                weight < 0; label or reliability outside [0, 1]; and what `options.non_finite` and `options.empty` call
///                errors
/// Float is computed in float, double in double; sums over the batch in blocks, then in double.
template <class Arch = default_instruction_set, evaluable_pair_loss L, detail::computed_in T>
report evaluate(L const& loss, pair_batch<T> const& batch, std::type_identity_t<pair_outputs<T>> const& outputs = {},
                options const& options = {}) {
  return detail::with_ranks(options, [&](auto const& own) {
    return detail::with_loss_ref<Arch, T>(
        loss, [&](auto const& ref) { return detail::evaluate_batch(ref, batch, outputs, own); });
  });
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
template <class Arch = default_instruction_set, evaluable_list_loss L, detail::computed_in T>
report evaluate(L const& loss, list_batch<T> const& batch, std::type_identity_t<list_outputs<T>> const& outputs = {},
                options const& options = {}) {
  return detail::with_ranks(options, [&](auto const& own) {
    return detail::with_loss_ref<Arch, T>(
        loss, [&](auto const& ref) { return detail::evaluate_batch(ref, batch, outputs, own); });
  });
}

}  // namespace prefopt::inline PREFOPT_ABI
