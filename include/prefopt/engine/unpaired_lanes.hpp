#pragma once

#include <array>
#include <cstddef>
#include <prefopt/batch/unpaired.hpp>
#include <prefopt/contract/observation.hpp>
#include <prefopt/engine/block.hpp>
#include <prefopt/engine/block_kernel.hpp>

namespace prefopt::inline PREFOPT_ABI::detail {

/// What a report says of completions: of desirable ones and of the others, each as far as its label says so.
template <class V>
struct tally_of_family<unpaired_family, V> {
  using T = typename V::value_type;
  static constexpr std::size_t count = 4;

  V right, desirable, chosen, rejected;

  PREFOPT_INLINE tally_of_family() noexcept : right(T(0)), desirable(T(0)), chosen(T(0)), rejected(T(0)) {}

  /// Calls f(which sum it is, its number, it).
  template <class F>
  PREFOPT_INLINE void for_each_sum(F const& f) noexcept {
    f(right_sum, std::size_t{0}, right);
    f(probability_sum, std::size_t{1}, desirable);
    f(chosen_sum, std::size_t{2}, chosen);
    f(rejected_sum, std::size_t{3}, rejected);
  }

  template <class Kept>
  PREFOPT_INLINE void add(V const& score, V const& label, Kept const& kept) noexcept {
    V const zero(T(0)), half(T(0.5)), full(T(1)), other = full - label;
    V const share = xsimd::select(score > zero, label, xsimd::select(score < zero, other, half));
    if constexpr (Kept::are_finite) {
      right += share;
      chosen = fused(label, score, chosen);
      rejected = fused(other, score, rejected);
    } else {
      // NaN is on neither side of the middle, nor on it.
      right += kept.where(score == score, share);
      // A label without doubt must not turn an infinite score of the other kind into 0 * inf.
      chosen = fused(kept(label), kept.where(!(label == zero), score), chosen);
      rejected = fused(kept(other), kept.where(!(other == zero), score), rejected);
    }
    desirable += kept(label);
  }

  /// Of scores that lie where rewards do.
  template <class Numbers, class Kept>
  PREFOPT_INLINE void count_computed(std::array<T const*, most_inputs> const& in, std::size_t offset,
                                     Numbers const& computed, std::size_t at, Kept const& kept) noexcept {
    T const* const label = in[unpaired_family::label];
    add(V::load_aligned(computed[unpaired_family::reward].values + at),
        label == nullptr ? V(T(1)) : V::load_unaligned(label + offset), kept);
  }
};

/// The completions in the lanes.
template <class L, class V>
struct lanes_of_family<unpaired_family, L, V> {
  using f = unpaired_family;
  using T = typename V::value_type;
  static constexpr columns reads = needs_of<L>() | takes_of<L>();

  scored<V> score;
  unpaired_row<V> row;
  /// A NaN or an infinity wherever one is read; perhaps also where a sum of finite numbers is none.
  V probe;

  PREFOPT_INLINE lanes_of_family(std::array<T const*, most_inputs> const& in, std::size_t offset) noexcept {
    V const zero(T(0)), one(T(1));
    probe = zero;
    auto const load = [&](f::input column, columns kind) PREFOPT_INLINE_LAMBDA {
      V const x = load_ahead<V>(in[column] + offset);
      if (!keeps_non_finite<typename L::score>(kind)) probe = probe + x;
      return x;
    };
    auto const load_given = [&](columns kind, f::input column, V& into) PREFOPT_INLINE_LAMBDA {
      if (contains(needs_of<L>(), kind) || in[column] != nullptr) into = load(column, kind);
    };
    // Numbers first, then what they make up: of a member that is loaded g++ would make a detour through memory.
    V const log_prob = load(f::logp, columns::none);
    V reference = zero, length = one, label = one, target = zero, kl = zero;
    if constexpr (contains(reads, columns::reference)) load_given(columns::reference, f::ref_logp, reference);
    if constexpr (contains(reads, columns::length)) load_given(columns::length, f::length, length);
    if constexpr (contains(reads, columns::label)) load_given(columns::label, f::label, label);
    if constexpr (contains(reads, columns::target)) load_given(columns::target, f::target, target);
    if constexpr (contains(reads, columns::kl)) {
      V under = zero, of_reference = zero;
      load_given(columns::kl, f::kl_logp, under);
      load_given(columns::kl, f::ref_kl_logp, of_reference);
      kl = under - of_reference;
    }
    completion<V> const given{math::copy(log_prob), math::copy(reference), math::copy(length)};
    row.completion = given;
    row.label = math::copy(label);
    row.target = math::copy(target);
    row.kl = math::copy(kl);
    score = typename L::score{}(given);
    if constexpr (keeps_non_finite<typename L::score>(columns::none)) probe = probe + score.value;
  }

  /// Lanes that may have read a NaN or an infinity.
  [[nodiscard]] PREFOPT_INLINE auto seems_bad() const noexcept { return is_not_finite(probe); }

  [[nodiscard]] PREFOPT_INLINE value_slope<V> apply_to(L const& loss) const noexcept {
    return apply(loss, row, score.value);
  }
  [[nodiscard]] PREFOPT_INLINE auto seen_by(L const& loss) const noexcept { return observe(loss, row, score.value); }

  PREFOPT_INLINE void write(value_slope<V> const& result, V const& chain, V const& reward_scale,
                            lane_writer<V> const& writer) const noexcept {
    writer.put(f::d_logp, V(result.slope * score.slope * chain));
    writer.put(f::reward, V(reward_scale * score.value));
  }

  template <class Kept>
  PREFOPT_INLINE void count_in(tally_of_family<f, V>& tally, Kept const& kept) const noexcept {
    tally.add(score.value, row.label, kept);
  }
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
