#pragma once

#include <array>
#include <cstddef>
#include <limits>
#include <prefopt/loss/list_contract.hpp>

namespace prefopt::inline PREFOPT_ABI::detail {

/// Groups of up to this size run a group a lane; larger ones are spread over the lanes. Their size alone decides, so
/// that a group's result does not depend on the batch around it.
inline constexpr std::size_t largest_lane_group = 64;

/// What a call does to every group alike.
template <class T>
struct list_settings {
  T gradient_scale = 1;
  T reward_scale = 1;
};

/// Sums over the counted groups.
enum list_sum : std::size_t {
  loss_sum,
  weight_sum,
  counted_sum,
  non_finite_sum,
  empty_sum,
  ordered_sum,
  right_sum,
  best_sum,
  others_sum,
  probability_sum,
  list_sum_count
};
using list_sums = std::array<double, list_sum_count>;

/// As many groups of one size as there are lanes, or one large group, copied together.
template <class T>
struct list_tile {
  candidate_columns<T> columns;
  std::size_t size = 0;
  bool is_spread = false;
  bool best_first = false;      ///< the first candidate is the best; otherwise the one with the most evidence
  T const* evidence = nullptr;  ///< what says which candidate is better: the rewards, or the target
  // One a group.
  T const* weight = nullptr;
  T* counted = nullptr;  ///< 1, or 0 for a group that is left out
  T* loss = nullptr;
};

/// Adds up a sum of a tile: lane by lane, or of the one group in every lane.
template <class V, class T, bool Spread>
struct tile_sums {
  T* lanes;
  list_sums& totals;

  PREFOPT_INLINE void add(list_sum which, V const& x) const noexcept {
    if constexpr (Spread) {
      totals[which] += static_cast<double>(first_lane(x));
    } else {
      T* const at = lanes + which * V::size;
      (V::load_aligned(at) + x).store_aligned(at);
    }
  }
};

/// One tile: the groups' losses, and the gradients by log-prob in the tile's gradient column; adds to the sums.
template <class T>
using list_kernel = void (*)(void const* loss, list_settings<T> const&, list_tile<T> const&, T* lane_sums,
                             list_sums&) noexcept;

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
  for (std::size_t i = 0; i + 1 < group.size(); ++i) {
    V const evidence = group.at(i).template kept<0>(), score = group.at(i).template kept<1>();
    for (std::size_t j = i + 1; j < group.size(); ++j) {
      V const preferred = evidence - group.at(j).template kept<0>(), ahead = score - group.at(j).template kept<1>();
      V const agreement = ahead ^ xsimd::bitofsign(preferred);
      auto const is_pair = !(preferred == zero);
      add(ordered, is_pair);
      add(right, is_pair & (agreement > zero));
      add(right, is_pair & (agreement >= zero));
    }
  }
  return {ordered, right};
}

/// The metrics that every list loss reports alike; those that need pairs of a spread group, the engine counts.
template <class V, class T, bool Spread, class Mask>
PREFOPT_INLINE void add_metrics(candidate_group<V, T, Spread> const& group, list_tile<T> const& tile, V const& scale,
                                Mask const& counts, tile_sums<V, T, Spread> const& sums) noexcept {
  V const zero(T(0));
  auto const kept = [&](V const& x) PREFOPT_INLINE_LAMBDA { return V(xsimd::select(counts, x, zero)); };
  V best = group.at(0).score();
  if (!tile.best_first) {
    auto const top = group.highest([&](auto const& c) PREFOPT_INLINE_LAMBDA { return c.load(tile.evidence); });
    best = group.sum([&](auto const& c)
                         PREFOPT_INLINE_LAMBDA { return V(xsimd::select(c.number() == top.number, c.score(), zero)); });
  }
  auto const top = group.highest([](auto const& c) PREFOPT_INLINE_LAMBDA { return c.score(); });
  std::array<V, 2> const totals = group.sum([&](auto const& c) PREFOPT_INLINE_LAMBDA {
    return std::array<V, 2>{math::exp(V((c.score() - top.value) * scale)), c.score()};
  });
  V const others =
      group.size() > 1 ? V((totals[1] - best) * V(static_cast<T>(1 / static_cast<double>(group.size() - 1)))) : best;
  sums.add(best_sum, kept(best));
  sums.add(others_sum, kept(others));
  sums.add(probability_sum, kept(V(math::exp(V((best - top.value) * scale)) / totals[0])));
  if constexpr (!Spread) {
    auto const pairs = ranked_pairs_of(group, tile);
    sums.add(ordered_sum, kept(pairs[0]));
    sums.add(right_sum, kept(V(V(T(0.5)) * pairs[1])));
  }
}

template <class L, class V, class T, bool Spread>
PREFOPT_INLINE void run_tile(L const& loss, list_settings<T> const& settings, list_tile<T> const& tile,
                             tile_sums<V, T, Spread> const& sums) noexcept {
  using score_type = typename L::score;
  auto const& columns = tile.columns;
  V const zero(T(0)), one(T(1));
  candidate_group<V, T, Spread> const group{columns, tile.size, columns.target != nullptr};
  auto const of_group = [](T const* values) PREFOPT_INLINE_LAMBDA {
    if constexpr (Spread) {
      return V(*values);
    } else {
      return V::load_aligned(values);
    }
  };

  auto const score = [&](auto const& c, V const& length) PREFOPT_INLINE_LAMBDA {
    V const reference = columns.reference != nullptr ? c.load(columns.reference) : zero;
    scored<V> const s = score_type{}(completion<V>{c.load(columns.log_prob), reference, length});
    c.store(s.value, columns.score);
    c.store(s.slope, columns.slope);
  };
  if (columns.length != nullptr) {
    group.for_each([&](auto const& c) PREFOPT_INLINE_LAMBDA { score(c, c.load(columns.length)); });
  } else {
    group.for_each([&](auto const& c) PREFOPT_INLINE_LAMBDA { score(c, one); });
  }

  V value = loss(group);
  V const weight = of_group(tile.weight);
  auto const counts = of_group(tile.counted) > zero;
  V const chain = V(settings.gradient_scale) * weight;
  V likelihood = zero;
  if constexpr (requires { loss.sft_weight(tile.size); }) likelihood = V(static_cast<T>(loss.sft_weight(tile.size)));
  group.for_each([&](auto const& c) PREFOPT_INLINE_LAMBDA {
    c.set_gradient(V(xsimd::select(counts, V(c.gradient() * c.load(columns.slope) * chain), zero)));
  });
  if constexpr (requires { loss.sft_weight(tile.size); }) {
    if (loss.sft_weight(tile.size) != 0) {
      auto const best = group.at(0);
      value = value - likelihood * best.load(columns.log_prob);
      best.set_gradient(V(best.gradient() - xsimd::select(counts, V(likelihood * chain), zero)));
    }
  }
  value = xsimd::select(counts, V(value * weight), zero);
  if constexpr (Spread) {
    *tile.loss = first_lane(value);
  } else {
    value.store_aligned(tile.loss);
  }

  sums.add(loss_sum, value);
  sums.add(weight_sum, xsimd::select(counts, weight, zero));
  sums.add(counted_sum, xsimd::select(counts, one, zero));
  if constexpr (!is_square<L>()) add_metrics(group, tile, V(settings.reward_scale), counts, sums);
}

template <class L, class T, class Arch>
PREFOPT_NOINLINE void run_list_kernel(void const* loss_address, list_settings<T> const& settings,
                                      list_tile<T> const& tile, T* lane_sums, list_sums& totals) noexcept {
  using V = xsimd::batch<T, Arch>;
  L const loss = *static_cast<L const*>(loss_address);
  if (tile.is_spread) {
    run_tile<L, V, T, true>(loss, settings, tile, {lane_sums, totals});
  } else {
    run_tile<L, V, T, false>(loss, settings, tile, {lane_sums, totals});
  }
}

}  // namespace prefopt::inline PREFOPT_ABI::detail
