#pragma once

#include <prefopt/detail/pair_engine.hpp>
#include <type_traits>

namespace prefopt::inline PREFOPT_ABI {

/// A loss over a batch of pairs: each pair's value, the gradients by `chosen` and `rejected`, and the report, in one pass.
///     reads      the columns that the loss names; `weight` always if given
///     writes     the outputs that are not empty; an output may be the same memory as an input column, element for element
///     results    depend on the pair alone for each pair, and for the report on the batch alone: not on position,
///                executor or alignment
///     throws     std::invalid_argument, before anything is written: a parameter or option out of range; sizes that
///                differ; a column that the loss needs and does not get, or gets and does not read; length or weight
///                < 0; label or reliability outside [0, 1]; and what `options.non_finite` and `options.empty` call errors
/// Float is computed in float, double in double; sums over the batch in blocks, then in double.
template <class Arch = xsimd::default_arch, pair_loss L, class T>
requires std::same_as<T, float> || std::same_as<T, double>
report evaluate(L const& loss, pair_batch<T> const& batch, std::type_identity_t<pair_outputs<T>> const& outputs = {},
                options const& options = {}) {
  detail::check_parameters(loss);
  auto const resolved = detail::resolve(loss);
  using resolved_type = std::remove_const_t<decltype(resolved)>;
  return detail::evaluate_pairs<T, Arch>(detail::traits_of<L>, &detail::run_pair_kernel<resolved_type, T, Arch>, &resolved,
                                         detail::reward_scale(resolved), batch, outputs, options);
}

}  // namespace prefopt::inline PREFOPT_ABI
