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

/// Makes of the sums of all ranks what a report reads, where a family has summed up something else.
template <class Family>
void complete_sums(sums& all) noexcept;

template <batch V>
PREFOPT_INLINE void add_lanes(sums& all, sum_index which, V const& x) noexcept {
  all[which] += static_cast<double>(sum_of_lanes(x));
}

/// Writes lanes to those outputs that are asked for; 0 for what does not count.
template <class V, class Counts>
struct lane_writer {
  using T = typename V::value_type;

  std::array<T*, most_outputs> const& out;
  std::size_t offset;
  Counts const& counts;
  bool accumulate;

  [[nodiscard]] PREFOPT_INLINE V kept(V const& x) const noexcept { return xsimd::select(counts, x, V(T(0))); }

  PREFOPT_INLINE void put_as_is(std::size_t output, V const& x) const noexcept {
    if (out[output] != nullptr) store_ahead(x, out[output] + offset);
  }
  PREFOPT_INLINE void put(std::size_t output, V const& x) const noexcept { put_as_is(output, kept(x)); }

  /// A gradient, which may be added to what is there.
  PREFOPT_INLINE void add(std::size_t output, V const& x) const noexcept {
    if (out[output] == nullptr) return;
    T* const target = out[output] + offset;
    V const value = kept(x);
    store_ahead(accumulate ? V::load_unaligned(target) + value : value, target);
  }
};

template <class Family, class L, class T, class Arch>
PREFOPT_NOINLINE void run_block_kernel(void const* loss_address, settings<T> const& settings, block<T>& block,
                                       sums& sums) noexcept {
  using V = xsimd::batch<T, Arch>;
  using lanes = lanes_of_family<Family, L, V>;
  L const loss = *static_cast<L const*>(loss_address);
  V const zero(T(0)), one(T(1));
  V const gradient_scale(settings.gradient_scale), reward_scale(settings.reward_scale);
  bool const accumulate = settings.accumulate, skip_non_finite = settings.skip_non_finite,
             skip_empty = settings.skip_empty, has_empty = settings.has_empty;
  V losses = zero, weights = zero, counted = zero, non_finite = zero, empty = zero;
  typename lanes::tally tally;

  bool const weighted = block.in[Family::weight] != nullptr;
  for_each_lanes<V, Family::input_count, Family::output_count>(
      block, [&](auto const& in, auto const& out, std::size_t offset, auto const& live) PREFOPT_INLINE_LAMBDA {
        lanes const example{in, offset};
        auto const result = example.apply_to(loss);
        V value = result.value, chain = gradient_scale;
        if (in[Family::weight] != nullptr) {
          value = value * example.weight;
          chain = chain * example.weight;
        }

        auto counts = live;
        auto const bad = live & example.is_bad();
        non_finite += xsimd::select(bad, one, zero);
        if (skip_non_finite) counts = counts & !bad;
        if (has_empty) {
          auto const nothing = lanes::is_empty(in, offset);
          empty += xsimd::select(live & nothing, one, zero);
          if (skip_empty) counts = counts & !nothing;
        }
        lane_writer<V, decltype(counts)> const writer{out, offset, counts, accumulate};
        auto const kept = [&](V const& x) PREFOPT_INLINE_LAMBDA { return writer.kept(x); };
        writer.put(Family::loss, value);
        example.write(result, counts, chain, reward_scale, writer);

        losses += kept(value);
        tally.count(example, counts, kept);
        counted += kept(one);
        weights += kept(example.weight);
      });

  add_lanes(sums, loss_sum, losses);
  tally.add_to(sums);
  // What is known without adding up lanes costs a call on few examples nothing.
  if (skip_non_finite || skip_empty) {
    add_lanes(sums, counted_sum, counted);
  } else {
    sums[counted_sum] += static_cast<double>(block.count);
  }
  if (weighted || skip_non_finite || skip_empty) {
    add_lanes(sums, weight_sum, weights);
  } else {
    sums[weight_sum] += static_cast<double>(block.count);
  }
  if (xsimd::any(non_finite > zero)) add_lanes(sums, non_finite_sum, non_finite);
  if (has_empty) add_lanes(sums, empty_sum, empty);
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
        auto counts = live;
        if (settings.skip_non_finite) counts = counts & !example.is_bad();
        if (settings.skip_empty && settings.has_empty) counts = counts & !lanes::is_empty(in, offset);
        auto const seen = example.seen_by(loss);
        for (std::size_t i = 0; i < count; ++i) totals[i] += xsimd::select(counts, V(seen[i]), zero);
        totals[count] += xsimd::select(counts, V(T(1)), zero);
      });
  for (std::size_t i = 0; i <= count; ++i) observed[i] += static_cast<double>(sum_of_lanes(totals[i]));
}

}  // namespace prefopt::inline PREFOPT_ABI::detail
