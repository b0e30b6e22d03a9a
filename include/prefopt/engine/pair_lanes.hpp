#pragma once

#include <array>
#include <cstddef>
#include <prefopt/batch/pairs.hpp>
#include <prefopt/contract/observation.hpp>
#include <prefopt/engine/block.hpp>
#include <prefopt/engine/block_kernel.hpp>

namespace prefopt::inline PREFOPT_ABI::detail {

/// The pairs in the lanes.
template <class L, class V>
struct lanes_of_family<pair_family, L, V> {
  using f = pair_family;
  using T = typename V::value_type;

  scored<V> better, worse;
  pair_row<V> row;
  V weight;
  /// Whatever is read goes in here: a NaN or an infinity anywhere leaves a NaN.
  V probe;

  PREFOPT_INLINE lanes_of_family(std::array<T const*, most_inputs> const& in, std::size_t offset) noexcept
      : weight(T(1)), probe(T(0)) {
    constexpr columns reads = needs_of<L>() | takes_of<L>();
    V const zero(T(0)), one(T(1));
    auto const load = [&](f::input column) PREFOPT_INLINE_LAMBDA {
      V const x = load_ahead<V>(in[column] + offset);
      probe = fused(x, zero, probe);
      return x;
    };
    auto const load_given = [&](columns kind, f::input column, V& into) PREFOPT_INLINE_LAMBDA {
      // Only a column that a loss merely takes can be absent; its neutral value then stands.
      if (contains(needs_of<L>(), kind) || in[column] != nullptr) into = load(column);
    };
    completion<V> chosen{load(f::chosen), zero, one}, rejected{load(f::rejected), zero, one};
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
    if (in[f::weight] != nullptr) weight = load(f::weight);
  }

  /// Lanes with a NaN or an infinity. Not probe != 0: xsimd 8.1 orders that comparison on AVX, and NaN would pass.
  [[nodiscard]] PREFOPT_INLINE auto is_bad() const noexcept { return !(probe == V(T(0))); }

  /// Lanes with an empty completion.
  PREFOPT_INLINE static auto is_empty(std::array<T const*, most_inputs> const& in, std::size_t offset) noexcept {
    V const zero(T(0));
    return (V::load_unaligned(in[f::chosen_length] + offset) == zero) |
           (V::load_unaligned(in[f::rejected_length] + offset) == zero);
  }

  [[nodiscard]] PREFOPT_INLINE auto apply_to(L const& loss) const noexcept {
    return apply(loss, row, better.value, worse.value);
  }
  [[nodiscard]] PREFOPT_INLINE auto seen_by(L const& loss) const noexcept {
    return observe(loss, row, better.value, worse.value);
  }

  /// What there is beside the loss, each number times `chain` or the scale of rewards, where it is asked for.
  template <class Result, class Counts, class Writer>
  PREFOPT_INLINE void write(Result const& result, Counts const& counts, V const& chain, V const& reward_scale,
                            Writer const& writer) const noexcept {
    if constexpr (requires { result.d_chosen_log_prob; }) {
      writer.add(f::d_chosen, V((result.d_chosen * better.slope + result.d_chosen_log_prob) * chain));
    } else {
      writer.add(f::d_chosen, V(result.d_chosen * better.slope * chain));
    }
    writer.add(f::d_rejected, V(result.d_rejected * worse.slope * chain));
    writer.put(f::chosen_reward, V(reward_scale * better.value));
    writer.put(f::rejected_reward, V(reward_scale * worse.value));
#define PREFOPT_WRITE_GRADIENT(name, type) \
  if constexpr (requires { result.d_##name; }) writer.add(f::d_##name, V(result.d_##name* chain));
    PREFOPT_PAIR_GRADIENTS(PREFOPT_WRITE_GRADIENT, )
#undef PREFOPT_WRITE_GRADIENT
    // Without evidence the posterior is the prior, so that a skipped pair leaves the M-step where it is.
    if constexpr (requires { result.posterior; }) {
      writer.put_as_is(f::posterior, xsimd::select(counts, result.posterior, row.reliability));
    }
  }

  /// What a report says of the scores.
  struct tally {
    V wins, margins, chosen, rejected;

    PREFOPT_INLINE tally() noexcept : wins(T(0)), margins(T(0)), chosen(T(0)), rejected(T(0)) {}

    template <class Counts, class Kept>
    PREFOPT_INLINE void count(lanes_of_family const& pair, Counts const& counts, Kept const& kept) noexcept {
      V const zero(T(0)), half(T(0.5)), difference = pair.better.value - pair.worse.value;
      margins += kept(difference);
      chosen += kept(pair.better.value);
      rejected += kept(pair.worse.value);
      wins += xsimd::select(counts & (difference >= zero), half, zero) +
              xsimd::select(counts & (difference > zero), half, zero);
    }

    PREFOPT_INLINE void add_to(sums& all) const noexcept {
      add_lanes(all, right_sum, wins);
      add_lanes(all, margin_sum, margins);
      add_lanes(all, chosen_sum, chosen);
      add_lanes(all, rejected_sum, rejected);
    }
  };
};

/// What a report reads of the sums of all ranks, and pairs have otherwise.
template <>
inline void complete_sums<pair_family>(sums& all) noexcept {
  all[ordered_sum] = all[counted_sum];
}

}  // namespace prefopt::inline PREFOPT_ABI::detail
