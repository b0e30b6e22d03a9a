#pragma once

#include <array>
#include <cstddef>
#include <prefopt/batch/pairs.hpp>
#include <prefopt/contract/observation.hpp>
#include <prefopt/engine/block.hpp>
#include <prefopt/engine/block_kernel.hpp>

namespace prefopt::inline PREFOPT_ABI::detail {

/// What a report says of pairs.
template <class V>
struct tally_of_family<pair_family, V> {
  using T = typename V::value_type;
  static constexpr std::size_t count = 4;

  V right, margins, chosen, rejected;

  PREFOPT_INLINE tally_of_family() noexcept : right(T(0)), margins(T(0)), chosen(T(0)), rejected(T(0)) {}

  /// Calls f(which sum it is, its number, it).
  template <class F>
  PREFOPT_INLINE void for_each_sum(F const& f) noexcept {
    f(right_sum, std::size_t{0}, right);
    f(margin_sum, std::size_t{1}, margins);
    f(chosen_sum, std::size_t{2}, chosen);
    f(rejected_sum, std::size_t{3}, rejected);
  }

  template <class Kept>
  PREFOPT_INLINE void add(V const& better, V const& worse, Kept const& kept) noexcept {
    V const zero(T(0)), half(T(0.5)), difference = better - worse;
    right += kept.where(difference >= zero, half) + kept.where(difference > zero, half);
    margins += kept(difference);
    chosen += kept(better);
    rejected += kept(worse);
  }

  /// Of scores that lie where rewards do.
  template <class Numbers, class Kept>
  PREFOPT_INLINE void count_computed(std::array<T const*, most_inputs> const&, std::size_t, Numbers const& computed,
                                     std::size_t at, Kept const& kept) noexcept {
    add(V::load_aligned(computed[pair_family::chosen_reward].values + at),
        V::load_aligned(computed[pair_family::rejected_reward].values + at), kept);
  }
};

/// The pairs in the lanes.
template <class L, class V>
struct lanes_of_family<pair_family, L, V> {
  using f = pair_family;
  using T = typename V::value_type;

  scored<V> better, worse;
  pair_row<V> row;
  /// A NaN or an infinity wherever one is read; perhaps also where a sum of finite numbers is none.
  V probe;

  PREFOPT_INLINE lanes_of_family(std::array<T const*, most_inputs> const& in, std::size_t offset) noexcept {
    constexpr columns reads = needs_of<L>() | takes_of<L>();
    V const zero(T(0)), one(T(1));
    probe = zero;
    auto const load = [&](f::input column, columns kind) PREFOPT_INLINE_LAMBDA {
      V const x = load_ahead<V>(in[column] + offset);
      if (!keeps_non_finite<typename L::score>(kind)) probe = probe + x;
      return x;
    };
    auto const load_given = [&](columns kind, f::input column, V& into) PREFOPT_INLINE_LAMBDA {
      // Only a column that a loss merely takes can be absent; its neutral value then stands.
      if (contains(needs_of<L>(), kind) || in[column] != nullptr) into = load(column, kind);
    };
    completion<V> chosen{load(f::chosen, columns::none), zero, one},
        rejected{load(f::rejected, columns::none), zero, one};
    if constexpr (contains(reads, columns::reference)) {
      load_given(columns::reference, f::ref_chosen, chosen.reference);
      load_given(columns::reference, f::ref_rejected, rejected.reference);
    }
    if constexpr (contains(reads, columns::length)) {
      load_given(columns::length, f::chosen_length, chosen.length);
      load_given(columns::length, f::rejected_length, rejected.length);
    }
#define PREFOPT_LOAD_COLUMN(name, kind, range, neutral, type) \
  row.name = V(T(neutral));                                   \
  if constexpr (contains(reads, columns::kind)) load_given(columns::kind, f::name, row.name);
    PREFOPT_PAIR_COLUMNS(PREFOPT_LOAD_COLUMN, )
#undef PREFOPT_LOAD_COLUMN
    better = typename L::score{}(chosen);
    worse = typename L::score{}(rejected);
    row.chosen = chosen;
    row.rejected = rejected;
    // Nothing is added to a difference that says it all.
    if constexpr (keeps_non_finite<typename L::score>(columns::none)) {
      V const difference = better.value - worse.value;
      probe =
          reads == L::score::needs && !contains(reads, columns::length) ? math::copy(difference) : difference + probe;
    }
  }

  /// Lanes that may have read a NaN or an infinity.
  [[nodiscard]] PREFOPT_INLINE auto seems_bad() const noexcept { return is_not_finite(probe); }

  [[nodiscard]] PREFOPT_INLINE auto apply_to(L const& loss) const noexcept {
    return apply(loss, row, better.value, worse.value);
  }
  [[nodiscard]] PREFOPT_INLINE auto seen_by(L const& loss) const noexcept {
    return observe(loss, row, better.value, worse.value);
  }

  /// What there is beside the loss, times `chain` or the scale of rewards, where it is asked for.
  template <class Result>
  PREFOPT_INLINE void write(Result const& result, V const& chain, V const& reward_scale,
                            lane_writer<V> const& writer) const noexcept {
    if constexpr (requires { result.d_chosen_log_prob; }) {
      writer.put(f::d_chosen, V((result.d_chosen * better.slope + result.d_chosen_log_prob) * chain));
    } else {
      writer.put(f::d_chosen, V(result.d_chosen * better.slope * chain));
    }
    writer.put(f::d_rejected, V(result.d_rejected * worse.slope * chain));
    writer.put(f::chosen_reward, V(reward_scale * better.value));
    writer.put(f::rejected_reward, V(reward_scale * worse.value));
#define PREFOPT_WRITE_GRADIENT(name, type) \
  if constexpr (requires { result.d_##name; }) writer.put(f::d_##name, V(result.d_##name* chain));
    PREFOPT_PAIR_GRADIENTS(PREFOPT_WRITE_GRADIENT, )
#undef PREFOPT_WRITE_GRADIENT
    if constexpr (requires { result.posterior; }) writer.put(f::posterior, result.posterior);
  }

  template <class Kept>
  PREFOPT_INLINE void count_in(tally_of_family<f, V>& tally, Kept const& kept) const noexcept {
    tally.add(better.value, worse.value, kept);
  }
};

/// What a report reads of the sums of all ranks, and pairs have otherwise.
template <>
inline void complete_sums<pair_family>(sums& all) noexcept {
  all[ordered_sum] = all[counted_sum];
}

}  // namespace prefopt::inline PREFOPT_ABI::detail
