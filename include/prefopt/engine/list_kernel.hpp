#pragma once

#include <array>
#include <cstddef>
#include <limits>
#include <prefopt/contract/list_loss.hpp>
#include <prefopt/view/kernel_types.hpp>

namespace prefopt::inline PREFOPT_ABI::detail {

/// Groups of up to this size run a group a lane; larger ones are spread over the lanes. Their size alone decides, so
/// that a group's result does not depend on the batch around it.
inline constexpr std::size_t largest_lane_group = 64;

inline double pairs_among(std::size_t n) noexcept { return static_cast<double>(n) * (static_cast<double>(n) - 1) / 2; }

/// Adds up a sum of a tile: lane by lane, or of the one group in every lane.
template <class V, class T, bool Spread>
struct tile_sums {
  T* lanes;
  PREFOPT_KERNELS::sums& totals;

  PREFOPT_INLINE void add(sum_index which, V const& x) const noexcept {
    if constexpr (Spread) {
      totals[which] += static_cast<double>(first_lane(x));
    } else {
      T* const at = lanes + which * V::size;
      (V::load_aligned(at) + x).store_aligned(at);
    }
  }
};

/// How many ordered pairs a group has, and twice how many of them its scores rank right; a tie in the scores counts
/// half.
template <class V, class T>
PREFOPT_INLINE std::array<V, 2> ranked_pairs_of(candidate_group<V, T, false> const& group,
                                                list_tile<T> const& tile) noexcept {
  // Infinities that are equal must have the difference 0.
  constexpr T largest = std::numeric_limits<T>::max();
  auto const clamped = [](V const& x) PREFOPT_INLINE_LAMBDA {
    V const above = xsimd::select(x < V(-largest), V(-largest), x);
    return V(xsimd::select(above > V(largest), V(largest), above));
  };
  group.for_each([&](auto const& c) PREFOPT_INLINE_LAMBDA {
    c.template keep<0>(clamped(c.load(tile.evidence)));
    c.template keep<1>(clamped(c.score()));
  });
  V const zero(T(0)), one(T(1));
  V ordered = zero, right = zero;
  auto const add = [&](V& count, auto const& condition)
                       PREFOPT_INLINE_LAMBDA { count = xsimd::select(condition, V(count + one), count); };
  if (tile.best_first && !tile.has_ties) {
    struct row {
      V score, strictly_ahead, ahead_or_level;

      PREFOPT_INLINE explicit row(V const& of) noexcept : score(of), strictly_ahead(T(0)), ahead_or_level(T(0)) {}
      PREFOPT_INLINE void compare(V const& other) noexcept {
        strictly_ahead = xsimd::select(score > other, V(strictly_ahead + V(T(1))), strictly_ahead);
        ahead_or_level = xsimd::select(score >= other, V(ahead_or_level + V(T(1))), ahead_or_level);
      }
      [[nodiscard]] PREFOPT_INLINE V count() const noexcept { return strictly_ahead + ahead_or_level; }
    };
    auto const score_of = [&](std::size_t i) PREFOPT_INLINE_LAMBDA { return group.at(i).template kept<1>(); };
    std::size_t i = 0;
    // Four rows at a time: one after the other, their additions would take longer than everything else.
    for (; i + 4 <= group.size(); i += 4) {
      row a(score_of(i)), b(score_of(i + 1)), c(score_of(i + 2)), d(score_of(i + 3));
      a.compare(b.score), a.compare(c.score), a.compare(d.score);
      b.compare(c.score), b.compare(d.score), c.compare(d.score);
      for (std::size_t j = i + 4; j < group.size(); ++j) {
        V const other = score_of(j);
        a.compare(other), b.compare(other), c.compare(other), d.compare(other);
      }
      right += (a.count() + b.count()) + (c.count() + d.count());
    }
    for (; i + 1 < group.size(); ++i) {
      row a(score_of(i));
      for (std::size_t j = i + 1; j < group.size(); ++j) a.compare(score_of(j));
      right += a.count();
    }
    return {V(static_cast<T>(pairs_among(group.size()))), right};
  }
  for (std::size_t i = 0; i + 1 < group.size(); ++i) {
    V const evidence = group.at(i).template kept<0>(), score = group.at(i).template kept<1>();
    V pairs = zero, ahead_or_level = zero, strictly_ahead = zero;
    for (std::size_t j = i + 1; j < group.size(); ++j) {
      V const preferred = evidence - group.at(j).template kept<0>(), ahead = score - group.at(j).template kept<1>();
      V const agreement = ahead ^ xsimd::bitofsign(preferred);
      // Not preferred != 0: evidence that is NaN prefers nothing.
      auto const is_pair = xsimd::abs(preferred) > zero;
      add(pairs, is_pair);
      add(strictly_ahead, is_pair & (agreement > zero));
      add(ahead_or_level, is_pair & (agreement >= zero));
    }
    ordered += pairs;
    right += strictly_ahead + ahead_or_level;
  }
  return {ordered, right};
}

/// The metrics that every list loss reports alike; those that need pairs of a spread group, the engine counts.
/// One for all losses.
template <class V, class T, bool Spread, class Mask>
PREFOPT_NOINLINE void add_metrics(candidate_group<V, T, Spread> const& group, list_tile<T> const& tile, V const& scale,
                                  Mask const& counts, tile_sums<V, T, Spread> const& sums) noexcept {
  V const zero(T(0));
  auto const kept = [&](V const& x) PREFOPT_INLINE_LAMBDA { return V(xsimd::select(counts, x, zero)); };
  V best_number = zero;
  if (!tile.best_first) {
    best_number = group.highest([&](auto const& c) PREFOPT_INLINE_LAMBDA { return c.load(tile.evidence); }).number;
  }
  auto const top = group.highest([](auto const& c) PREFOPT_INLINE_LAMBDA { return c.score(); });
  std::array<V, 3> const totals = group.sum([&](auto const& c) PREFOPT_INLINE_LAMBDA {
    auto const is_best = c.number() == best_number;
    return std::array<V, 3>{math::exp(V((c.score() - top.value) * scale)), xsimd::select(is_best, c.score(), zero),
                            xsimd::select(is_best, zero, c.score())};
  });
  V const best = totals[1];
  V const others =
      group.size() > 1 ? V(totals[2] * V(static_cast<T>(1 / static_cast<double>(group.size() - 1)))) : best;
  sums.add(chosen_sum, kept(best));
  sums.add(rejected_sum, kept(others));
  sums.add(probability_sum, kept(math::divide(math::exp(V((best - top.value) * scale)), totals[0])));
  if constexpr (!Spread) {
    auto const pairs = ranked_pairs_of(group, tile);
    sums.add(ordered_sum, kept(pairs[0]));
    sums.add(right_sum, kept(V(V(T(0.5)) * pairs[1])));
  }
}

/// f(i) for i < count, a multiple of Unrolled.
template <std::size_t Unrolled, class F>
PREFOPT_INLINE void for_each_value(std::size_t count, F const& f) noexcept {
  for (std::size_t i = 0; i < count; i += Unrolled) {
    for (std::size_t j = 0; j < Unrolled; ++j) f(i + j);
  }
}

/// Every candidate's score and its slope, in the order of the batch. One for all losses with that score.
template <class S, class V, class T>
PREFOPT_NOINLINE void score_tile(list_tile<T> const& tile) noexcept {
  V const zero(T(0)), one(T(1));
  auto const score = [&](std::size_t i, V const& length) PREFOPT_INLINE_LAMBDA {
    V const reference = tile.reference != nullptr ? V::load_unaligned(tile.reference + i) : zero;
    scored<V> const s = S{}(completion<V>{V::load_unaligned(tile.log_prob + i), reference, length});
    s.value.store_unaligned(tile.given_score + i);
    s.slope.store_unaligned(tile.slope + i);
  };
  if (tile.length != nullptr) {
    for (std::size_t i = 0; i < tile.values; i += V::size) score(i, V::load_unaligned(tile.length + i));
  } else {
    for (std::size_t i = 0; i < tile.values; i += V::size) score(i, one);
  }
}

template <class L, class V, class T, bool Spread>
PREFOPT_INLINE void run_tile(L const& loss, settings<T> const& settings, list_tile<T> const& tile,
                             tile_sums<V, T, Spread> const& sums) noexcept {
  constexpr std::size_t lanes = V::size;
  V const zero(T(0)), one(T(1));
  auto const of_group = [](T const* values) PREFOPT_INLINE_LAMBDA {
    if constexpr (Spread) {
      return V(*values);
    } else {
      return V::load_aligned(values);
    }
  };
  score_tile<typename L::score, V>(tile);
  candidate_columns<T> columns = tile.ranked;
  if (tile.origins == nullptr) {
    columns.score = tile.given_score;
  } else {
    for_each_value<Spread ? 1 : lanes>(tile.values, [&](std::size_t i) PREFOPT_INLINE_LAMBDA {
      columns.score[i] = tile.given_score[tile.origins[i]];
    });
  }

  candidate_group<V, T, Spread> const group{columns, tile.size, columns.target != nullptr};
  // A NaN that the loss does not compute with, of a candidate that is alone for one, must not get lost.
  V const poison = of_group(tile.poison);
  V value = loss(group) + poison;
  V const weight = of_group(tile.weight);
  auto const counts = of_group(tile.counted) > zero;
  V const chain = V(settings.gradient_scale) * weight + poison;
  T* by_score = columns.gradient;
  if (tile.origins != nullptr) {
    by_score = columns.slots[0];
    for_each_value<Spread ? 1 : lanes>(
        tile.values, [&](std::size_t i) PREFOPT_INLINE_LAMBDA { by_score[tile.origins[i]] = columns.gradient[i]; });
  }
  for (std::size_t i = 0; i < tile.values; i += lanes) {
    V const gradient = V::load_unaligned(by_score + i) * V::load_unaligned(tile.slope + i) * chain;
    V(xsimd::select(counts, gradient, zero)).store_unaligned(columns.gradient + i);
  }
  if constexpr (requires { loss.sft_weight(tile.size); }) {
    if (double const likelihood = loss.sft_weight(tile.size); likelihood != 0) {
      alignas(64) T best[lanes], gradient[lanes];
      V const factor(static_cast<T>(likelihood));
      V(xsimd::select(counts, V(factor * chain), zero)).store_aligned(gradient);
      for (std::size_t lane = 0; lane < (Spread ? 1 : lanes); ++lane) {
        auto const at = tile.origins == nullptr ? lane : static_cast<std::size_t>(tile.origins[lane]);
        best[lane] = tile.log_prob[at];
        columns.gradient[at] -= gradient[lane];
      }
      value = value - factor * of_group(best);
    }
  }
  value = xsimd::select(counts, V(value * weight), zero);
  if constexpr (Spread) {
    *tile.loss = first_lane(value);
  } else {
    value.store_aligned(tile.loss);
  }

  sums.add(loss_sum, value);
  sums.add(counted_sum, xsimd::select(counts, one, zero));
  if constexpr (!is_square<L>()) add_metrics(group, tile, V(settings.reward_scale), counts, sums);
}

template <class L, class T, class Arch>
PREFOPT_NOINLINE void run_list_kernel(void const* loss_address, settings<T> const& settings, list_tile<T> const& tile,
                                      T* lane_sums, PREFOPT_KERNELS::sums& totals) noexcept {
  using V = xsimd::batch<T, Arch>;
  L const loss = *static_cast<L const*>(loss_address);
  if (tile.is_spread) {
    run_tile<L, V, T, true>(loss, settings, tile, {lane_sums, totals});
  } else {
    run_tile<L, V, T, false>(loss, settings, tile, {lane_sums, totals});
  }
}

}  // namespace prefopt::inline PREFOPT_ABI::detail
