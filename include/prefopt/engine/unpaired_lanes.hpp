#pragma once

#include <array>
#include <cstddef>
#include <prefopt/batch/unpaired.hpp>
#include <prefopt/contract/observation.hpp>
#include <prefopt/engine/block.hpp>
#include <prefopt/engine/block_kernel.hpp>

namespace prefopt::inline PREFOPT_ABI::detail {

/// The completions in the lanes.
template <class L, class V>
struct lanes_of_family<unpaired_family, L, V> {
  using f = unpaired_family;
  using T = typename V::value_type;
  static constexpr columns reads = needs_of<L>() | takes_of<L>();

  scored<V> score;
  unpaired_row<V> row;
  V weight;
  /// Whatever is read goes in here: a NaN or an infinity anywhere leaves a NaN.
  V probe;

  PREFOPT_INLINE lanes_of_family(std::array<T const*, most_inputs> const& in, std::size_t offset) noexcept
      : weight(T(1)), probe(T(0)) {
    V const zero(T(0)), one(T(1));
    auto const load = [&](f::input column) PREFOPT_INLINE_LAMBDA {
      V const x = load_ahead<V>(in[column] + offset);
      probe = fused(x, zero, probe);
      return x;
    };
    auto const load_given = [&](columns kind, f::input column, V& into) PREFOPT_INLINE_LAMBDA {
      if (contains(needs_of<L>(), kind) || in[column] != nullptr) into = load(column);
    };
    row.completion = {load(f::logp), zero, one};
    row.label = one;
    row.target = zero;
    row.kl = zero;
    if constexpr (contains(reads, columns::reference)) {
      load_given(columns::reference, f::ref_logp, row.completion.reference);
    }
    if constexpr (contains(reads, columns::length)) load_given(columns::length, f::length, row.completion.length);
    if constexpr (contains(reads, columns::label)) load_given(columns::label, f::label, row.label);
    if constexpr (contains(reads, columns::target)) load_given(columns::target, f::target, row.target);
    if constexpr (contains(reads, columns::kl)) {
      V under = zero, reference = zero;
      load_given(columns::kl, f::kl_logp, under);
      load_given(columns::kl, f::ref_kl_logp, reference);
      row.kl = under - reference;
    }
    score = typename L::score{}(row.completion);
    if (in[f::weight] != nullptr) weight = load(f::weight);
  }

  // Not probe != 0: xsimd 8.1 orders that comparison on AVX, and NaN would pass.
  [[nodiscard]] PREFOPT_INLINE auto is_bad() const noexcept { return !(probe == V(T(0))); }

  PREFOPT_INLINE static auto is_empty(std::array<T const*, most_inputs> const& in, std::size_t offset) noexcept {
    return V::load_unaligned(in[f::length] + offset) == V(T(0));
  }

  [[nodiscard]] PREFOPT_INLINE value_slope<V> apply_to(L const& loss) const noexcept {
    return apply(loss, row, score.value);
  }
  [[nodiscard]] PREFOPT_INLINE auto seen_by(L const& loss) const noexcept { return observe(loss, row, score.value); }

  template <class Counts, class Writer>
  PREFOPT_INLINE void write(value_slope<V> const& result, Counts const&, V const& chain, V const& reward_scale,
                            Writer const& writer) const noexcept {
    writer.add(f::d_logp, V(result.slope * score.slope * chain));
    writer.put(f::reward, V(reward_scale * score.value));
  }

  /// What a report says of the scores: of desirable ones and of the others, each as far as its label says so.
  struct tally {
    V right, desirable, chosen, rejected;

    PREFOPT_INLINE tally() noexcept : right(T(0)), desirable(T(0)), chosen(T(0)), rejected(T(0)) {}

    template <class Counts, class Kept>
    PREFOPT_INLINE void count(lanes_of_family const& one, Counts const& counts, Kept const& kept) noexcept {
      V const zero(T(0)), half(T(0.5)), full(T(1)), label = one.row.label, other = full - label, s = one.score.value;
      // 1 above the middle, 1/2 on it; NaN is on neither side of it.
      V const above = xsimd::select(s >= zero, half, zero) + xsimd::select(s > zero, half, zero);
      right += xsimd::select(counts & (s == s), fused(above, label - other, other), zero);
      desirable += kept(label);
      // A label without doubt must not turn an infinite score of the other kind into 0 * inf.
      chosen += xsimd::select(counts & !(label == zero), label * s, zero);
      rejected += xsimd::select(counts & !(other == zero), other * s, zero);
    }

    PREFOPT_INLINE void add_to(sums& all) const noexcept {
      add_lanes(all, right_sum, right);
      add_lanes(all, probability_sum, desirable);
      add_lanes(all, chosen_sum, chosen);
      add_lanes(all, rejected_sum, rejected);
    }
  };
};

/// The means of the two kinds, which a report divides by the number of all.
template <>
inline void complete_sums<unpaired_family>(sums& all) noexcept {
  double const counted = all[counted_sum], desirable = all[probability_sum], others = counted - desirable;
  all[ordered_sum] = counted;
  if (desirable > 0) all[chosen_sum] *= counted / desirable;
  if (others > 0) all[rejected_sum] *= counted / others;
  all[margin_sum] = desirable > 0 && others > 0 ? all[chosen_sum] - all[rejected_sum] : 0;
  all[probability_sum] = 0;
}

}  // namespace prefopt::inline PREFOPT_ABI::detail
