#pragma once

#include <array>
#include <cstddef>
#include <prefopt/contract/observation.hpp>
#include <prefopt/engine/block.hpp>

// The kernels of every family whose examples are independent of one another. What an example is, its lanes know.

namespace prefopt::inline PREFOPT_ABI::detail {

/// Examples of a family in lanes, as a loss L sees them.
template <class Family, class L, class V>
struct lanes_of_family;

/// What a report says of the scores of a family: as many sums in lanes, and which they are.
template <class Family, class V>
struct tally_of_family;

/// Makes of the sums of all ranks what a report reads, where a family has summed up something else.
template <class Family>
void complete_sums(sums& all) noexcept;

template <batch V>
PREFOPT_INLINE void add_lanes(sums& all, sum_index which, V const& x) noexcept {
  all[which] += static_cast<double>(sum_of_lanes(x));
}

/// Lanes with a NaN or an infinity in any column that is given.
template <batch V>
PREFOPT_INLINE auto bad_lanes(std::array<typename V::value_type const*, most_inputs> const& in, std::size_t inputs,
                              std::size_t offset) noexcept {
  V const zero(typename V::value_type(0));
  V probe = zero;
  for (std::size_t c = 0; c < inputs; ++c) {
    if (in[c] != nullptr) probe = fused(V::load_unaligned(in[c] + offset), zero, probe);
  }
  // Not probe != 0: xsimd 8.1 orders that comparison on AVX, and NaN would pass.
  return !(probe == zero);
}

/// Lanes with a completion of length 0.
template <class Family, batch V>
PREFOPT_INLINE auto empty_lanes(std::array<typename V::value_type const*, most_inputs> const& in,
                                std::size_t offset) noexcept {
  using T = typename V::value_type;
  V const zero(T(0));
  auto empty = zero > zero;
  for (std::size_t c = 0; c < Family::input_count; ++c) {
    if (in[c] == nullptr || Family::template inputs<T>[c].kind != columns::length) continue;
    empty = empty | (V::load_unaligned(in[c] + offset) == zero);
  }
  return empty;
}

/// Lanes that are not to be left out.
template <class Family, batch V>
PREFOPT_INLINE auto counting_lanes(settings<typename V::value_type> const& settings,
                                   std::array<typename V::value_type const*, most_inputs> const& in,
                                   std::size_t offset) noexcept {
  V const zero(typename V::value_type(0));
  auto counts = zero == zero;
  if (settings.skip_non_finite) counts = counts & !bad_lanes<V>(in, Family::input_count, offset);
  if (settings.skip_empty && settings.has_empty) counts = counts & !empty_lanes<Family, V>(in, offset);
  return counts;
}

template <class V, class Live>
PREFOPT_COLD double count_bad_lanes(std::array<typename V::value_type const*, most_inputs> const& in,
                                    std::size_t inputs, std::size_t offset, Live const& live) noexcept {
  using T = typename V::value_type;
  auto const bad = live & bad_lanes<V>(in, inputs, offset);
  return static_cast<double>(sum_of_lanes(V(xsimd::select(bad, V(T(1)), V(T(0))))));
}

/// Which lanes a sum is over: all. `Finite`: and there is neither a NaN nor an infinity in them.
template <class V, bool Finite>
struct every_lane {
  static constexpr bool are_finite = Finite;

  [[nodiscard]] PREFOPT_INLINE V const& operator()(V const& x) const noexcept { return x; }
  template <class Condition>
  [[nodiscard]] PREFOPT_INLINE V where(Condition const& condition, V const& x) const noexcept {
    return xsimd::select(condition, x, V(typename V::value_type(0)));
  }
};

/// Those that count.
template <class V, class Counts>
struct counted_lanes {
  static constexpr bool are_finite = false;
  Counts const& counts;

  [[nodiscard]] PREFOPT_INLINE V operator()(V const& x) const noexcept {
    return xsimd::select(counts, x, V(typename V::value_type(0)));
  }
  template <class Condition>
  [[nodiscard]] PREFOPT_INLINE V where(Condition const& condition, V const& x) const noexcept {
    return xsimd::select(counts & condition, x, V(typename V::value_type(0)));
  }
};

/// Writes lanes to those outputs that are asked for.
template <class V>
struct lane_writer {
  using T = typename V::value_type;

  std::array<T*, most_outputs> const& out;
  std::size_t offset;

  PREFOPT_INLINE void put(std::size_t output, V const& x) const noexcept {
    if (out[output] != nullptr) store_ahead(x, out[output] + offset);
  }
};

/// Blocks that are computed at once, if all of their columns are in place.
inline constexpr std::size_t blocks_at_once = 16;

/// The plain case, which the others are made of (finish_block): every example counts. Writes the losses and the gradients
/// times the scale of gradients, both times the weight, and the rewards times their scale; all else is without effect.
/// Of several blocks at once, the sums of each in lanes are put aside: adding the lanes up would hold up the next.
template <class Family, class L, class T, class Arch>
PREFOPT_FLATTEN void run_block_kernel(void const* loss_address, settings<T> const& settings, block<T>& block,
                                      sums& sums) noexcept {
  using V = xsimd::batch<T, Arch>;
  using lanes = lanes_of_family<Family, L, V>;
  using tally = tally_of_family<Family, V>;
  L const loss = *static_cast<L const*>(loss_address);
  V const zero(T(0)), gradient_scale(settings.gradient_scale), reward_scale(settings.reward_scale);
  std::size_t const rest = block.count % V::size;
  sums[counted_sum] += static_cast<double>(block.count);
  bool const weighted = block.in[Family::weight] != nullptr;
  V losses = zero, weights = zero;
  tally scores;
  struct sums_in_lanes {
    alignas(64) T of[tally::count + 2][V::size];
  };
  sums_in_lanes of_blocks[blocks_at_once], before_tail;
  std::size_t finished = 0;
  auto const keep = [&](sums_in_lanes& kept) PREFOPT_INLINE_LAMBDA {
    losses.store_aligned(kept.of[tally::count]);
    weights.store_aligned(kept.of[tally::count + 1]);
    scores.for_each_sum([&](sum_index, std::size_t i, V& sum) PREFOPT_INLINE_LAMBDA { sum.store_aligned(kept.of[i]); });
  };
  sums[weight_sum] += weighted ? 0 : static_cast<double>(block.count);

  for_each_lanes<V, Family::input_count, Family::output_count>(
      block,
      [&](auto const& in, auto const& out, std::size_t offset, auto const& live) PREFOPT_INLINE_LAMBDA {
        lanes const example{in, offset};
        if (xsimd::any(example.seems_bad())) [[unlikely]] {
          sums[non_finite_sum] += count_bad_lanes<V>(block.in, Family::input_count, offset, live);
          example.count_in(scores, every_lane<V, false>{});
        } else {
          example.count_in(scores, every_lane<V, keeps_non_finite<typename L::score>(columns::none)>{});
        }
        auto const result = example.apply_to(loss);
        V value = result.value, chain = gradient_scale;
        if (in[Family::weight] != nullptr) {
          V const weight = load_ahead<V>(in[Family::weight] + offset);
          value = value * weight;
          chain = chain * weight;
          weights += weight;
        }
        lane_writer<V> const writer{out, offset};
        writer.put(Family::loss, value);
        example.write(result, chain, reward_scale, writer);
        losses += value;
      },
      [&]() PREFOPT_INLINE_LAMBDA {
        keep(of_blocks[finished++]);
        losses = weights = zero;
        scores = tally{};
      },
      [&]() PREFOPT_INLINE_LAMBDA { keep(before_tail); });

  auto const add = [&](sum_index which, V const& sum) PREFOPT_INLINE_LAMBDA { add_lanes(sums, which, sum); };
  for (std::size_t b = 0; b < finished; ++b) {
    auto const& of = of_blocks[b].of;
    add(loss_sum, V::load_aligned(of[tally::count]));
    if (weighted) add(weight_sum, V::load_aligned(of[tally::count + 1]));
    scores.for_each_sum([&](sum_index which, std::size_t i, V&)
                            PREFOPT_INLINE_LAMBDA { add(which, V::load_aligned(of[i])); });
  }
  if (rest != 0) {
    // The lanes of the tail without an example have added copies of one: they get back what they had.
    auto const live = lane_numbers<T, Arch>() < V(static_cast<T>(rest));
    auto const restore = [&](sum_index, std::size_t i, V& sum) PREFOPT_INLINE_LAMBDA {
      sum = xsimd::select(live, sum, V::load_aligned(before_tail.of[i]));
    };
    restore(loss_sum, tally::count, losses);
    restore(weight_sum, tally::count + 1, weights);
    scores.for_each_sum(restore);
  }
  if (block.count % block_examples == 0) return;
  add(loss_sum, losses);
  if (weighted) add(weight_sum, weights);
  scores.for_each_sum([&](sum_index which, std::size_t, V& sum) PREFOPT_INLINE_LAMBDA { add(which, sum); });
}

/// For a loss with statistics: what it asks for, summed over the counted examples, and the number of these.
template <class Family, class L, class T, class Arch>
PREFOPT_NOINLINE void observe_block(void const* loss_address, settings<T> const& settings, block<T>& block,
                                    double* observed) noexcept {
  using V = xsimd::batch<T, Arch>;
  using lanes = lanes_of_family<Family, L, V>;
  L const loss = *static_cast<L const*>(loss_address);
  V const zero(T(0));
  constexpr std::size_t count = observed_by<L>;
  std::array<V, count + 1> totals;
  totals.fill(zero);
  for_each_lanes<V, Family::input_count, Family::output_count>(
      block, [&](auto const& in, auto const&, std::size_t offset, auto const& live) PREFOPT_INLINE_LAMBDA {
        lanes const example{in, offset};
        auto const counts = live & counting_lanes<Family, V>(settings, block.in, offset);
        auto const seen = example.seen_by(loss);
        for (std::size_t i = 0; i < count; ++i) totals[i] += xsimd::select(counts, V(seen[i]), zero);
        totals[count] += xsimd::select(counts, V(T(1)), zero);
      });
  for (std::size_t i = 0; i <= count; ++i) observed[i] += static_cast<double>(sum_of_lanes(totals[i]));
}

}  // namespace prefopt::inline PREFOPT_ABI::detail
