#pragma once

#include <cstddef>
#include <prefopt/contract/token_surrogate.hpp>
#include <prefopt/engine/block.hpp>

namespace prefopt::inline PREFOPT_ABI::detail {

/// The tokens of a surrogate's block in lanes. Columns that are not there have their neutral values.
template <class V, class In>
PREFOPT_INLINE token_row<V> token_lanes(In const& in, std::size_t offset, V const& log_ratio_limit) noexcept {
  using T = typename V::value_type;
  auto const load = [&](surrogate_input c, T otherwise) PREFOPT_INLINE_LAMBDA {
    return in[c] == nullptr ? V(otherwise) : load_ahead<V>(in[c] + offset);
  };
  V const log_prob = load_ahead<V>(in[log_prob_in] + offset);
  V const old = in[old_log_prob_in] == nullptr ? log_prob : load_ahead<V>(in[old_log_prob_in] + offset);
  V const apart = in[old_log_prob_in] == nullptr ? V(T(0)) : V(log_prob - old);
  return {log_prob,
          old,
          math::limited(apart, V(-log_ratio_limit), log_ratio_limit),
          load_ahead<V>(in[advantage_in] + offset),
          load(statistic_in, T(0)),
          load(count_in, T(1)),
          load(correction_in, T(1)),
          load(selected_in, T(0))};
}

template <class L, class T, class Arch>
PREFOPT_NOINLINE void run_surrogate(void const* address, T log_ratio_limit, block<T>& block) noexcept {
  using V = xsimd::batch<T, Arch>;
  L const surrogate = *static_cast<L const*>(address);
  V const limit(log_ratio_limit), zero(T(0));
  for_each_lanes<V, surrogate_inputs, surrogate_outputs>(
      block, [&](auto const& in, auto const& out, std::size_t offset, auto const&) PREFOPT_INLINE_LAMBDA {
        auto const row = token_lanes<V>(in, offset, limit);
        auto const at = surrogate(row);
        V slope = at.slope;
        if constexpr (slope_of<L>() == token_slope::by_log_ratio) {
          slope = xsimd::select(xsimd::abs(V(row.log_prob - row.old_log_prob)) > limit, zero, slope);
        }
        V const results[]{at.value, slope, row.ratio(), at.below, at.above};
        for (std::size_t c = 0; c < surrogate_outputs; ++c) results[c].store_unaligned(out[c] + offset);
      });
}

template <class L, class T, class Arch>
PREFOPT_NOINLINE void run_statistic(void const* address, T log_ratio_limit, block<T>& block) noexcept {
  using V = xsimd::batch<T, Arch>;
  L const surrogate = *static_cast<L const*>(address);
  V const limit(log_ratio_limit), zero(T(0));
  for_each_lanes<V, surrogate_inputs, 2>(
      block, [&](auto const& in, auto const& out, std::size_t offset, auto const&) PREFOPT_INLINE_LAMBDA {
        auto const row = token_lanes<V>(in, offset, limit);
        auto const at = surrogate.statistic(row);
        V const slope = xsimd::select(xsimd::abs(V(row.log_prob - row.old_log_prob)) > limit, zero, at.slope);
        at.value.store_unaligned(out[value_out] + offset);
        slope.store_unaligned(out[slope_out] + offset);
      });
}

template <class L, class T, class Arch>
constexpr surrogate_kernel<T> statistic_of() noexcept {
  if constexpr (has_statistic<L>) return &run_statistic<L, T, Arch>;
  return nullptr;
}

}  // namespace prefopt::inline PREFOPT_ABI::detail
