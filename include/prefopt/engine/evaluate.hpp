#pragma once

#include <prefopt/engine/evaluate_batch.hpp>
#include <prefopt/engine/rank_matched.hpp>
#include <type_traits>

namespace prefopt::inline PREFOPT_ABI {

/// A loss over a batch of its family, `pair_batch`, `list_batch` or `unpaired_batch`: each example's value, the
/// gradients by the policy's log-probs, and the report, in one pass.
///     reads      the columns that the loss names; `weight` always if given
///     writes     the outputs that are not empty; an output may be the same memory as an input column, element for
///                element (of groups: d_logp)
///     results    depend on the example alone for each one, and for the report on the batch alone: not on position,
///                neighbours, executor or alignment
///     memory     none for pairs (but aot, which sorts them) and single completions; for groups O(candidates of the
///                largest) if that has more than 64, for each of at most 64 parts
///     throws     std::invalid_argument, before anything is written: a parameter or option out of range; sizes that
///                differ; a column that the loss needs and does not get, or gets with values and does not read; a value
///                that its column or the loss does not take; what `options.non_finite` and `options.empty` call errors;
///                and of groups: offsets that fall or do not span logp, weights that differ in a group, ties where the
///                loss refuses them
/// Float is computed in float, double in double; sums over the batch in blocks, then in double. A group without a
/// candidate follows `options.empty`, as one with a candidate of length 0.
template <class Arch = default_instruction_set, evaluable_loss L, template <class> class Batch, detail::computed_in T>
  requires(batch_of_loss<Batch<T>, L, T>)
report evaluate(L const& loss, Batch<T> const& batch,
                std::type_identity_t<typename detail::family_of<L>::template outputs<T>> const& outputs = {},
                options const& options = {}) {
  return detail::with_ranks(options, [&](auto const& own) {
    return detail::with_loss_ref<Arch, T>(
        loss, [&](auto const& ref) { return detail::evaluate_batch(ref, batch, outputs, own); });
  });
}

}  // namespace prefopt::inline PREFOPT_ABI
