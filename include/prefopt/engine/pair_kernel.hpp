#pragma once

#include <array>
#include <cstddef>
#include <prefopt/batch/pairs.hpp>
#include <prefopt/contract/observation.hpp>
#include <prefopt/engine/block.hpp>

namespace prefopt::inline PREFOPT_ABI::detail {

/// The pairs in the lanes, as a loss L sees them.
template <class L, class V>
struct pair_lanes {
  using f = pair_family;
  using T = typename V::value_type;

  scored<V> better, worse;
  pair_row<V> row;
  V weight;
  /// Whatever is read goes in here: a NaN or an infinity anywhere leaves a NaN.
  V probe;

  PREFOPT_INLINE pair_lanes(std::array<T const*, most_inputs> const& in, std::size_t offset) noexcept
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
};

template <class L, class T, class Arch>
PREFOPT_NOINLINE void run_pair_kernel(void const* loss_address, settings<T> const& settings, block<T>& block,
                                      sums& sums) noexcept {
  using f = pair_family;
  using V = xsimd::batch<T, Arch>;
  using lanes = pair_lanes<L, V>;
  L const loss = *static_cast<L const*>(loss_address);
  V const zero(T(0)), half(T(0.5)), one(T(1));
  V const gradient_scale(settings.gradient_scale), reward_scale(settings.reward_scale);
  bool const accumulate = settings.accumulate, skip_non_finite = settings.skip_non_finite,
             skip_empty = settings.skip_empty, has_empty = settings.has_empty;
  V losses = zero, wins = zero, margins = zero, chosen = zero, rejected = zero, weights = zero, counted = zero,
    non_finite = zero, empty = zero;

  bool const weighted = block.in[f::weight] != nullptr;
  for_each_lanes<V, f::input_count, f::output_count>(
      block, [&](auto const& in, auto const& out, std::size_t offset, auto const& live) PREFOPT_INLINE_LAMBDA {
        lanes const pair{in, offset};
        scored<V> const &a = pair.better, &b = pair.worse;
        auto const result = apply(loss, pair.row, a.value, b.value);
        V value = result.value, chain = gradient_scale;
        if (in[f::weight] != nullptr) {
          value = value * pair.weight;
          chain = chain * pair.weight;
        }

        auto counts = live;
        auto const bad = live & pair.is_bad();
        non_finite += xsimd::select(bad, one, zero);
        if (skip_non_finite) counts = counts & !bad;
        if (has_empty) {
          auto const nothing = lanes::is_empty(in, offset);
          empty += xsimd::select(live & nothing, one, zero);
          if (skip_empty) counts = counts & !nothing;
        }
        auto const kept = [&](V const& x) PREFOPT_INLINE_LAMBDA { return xsimd::select(counts, x, zero); };

        auto const store = [&](f::output column, V const& x) PREFOPT_INLINE_LAMBDA {
          if (out[column] != nullptr) store_ahead(x, out[column] + offset);
        };
        auto const store_gradient = [&](f::output column, V const& x) PREFOPT_INLINE_LAMBDA {
          if (out[column] == nullptr) return;
          T* const target = out[column] + offset;
          store_ahead(accumulate ? V::load_unaligned(target) + x : x, target);
        };
        store(f::loss, kept(value));
        if constexpr (requires { result.d_chosen_log_prob; }) {
          store_gradient(f::d_chosen, kept((result.d_chosen * a.slope + result.d_chosen_log_prob) * chain));
        } else {
          store_gradient(f::d_chosen, kept(result.d_chosen * a.slope * chain));
        }
        store_gradient(f::d_rejected, kept(result.d_rejected * b.slope * chain));
        store(f::chosen_reward, kept(reward_scale * a.value));
        store(f::rejected_reward, kept(reward_scale * b.value));
#define PREFOPT_STORE_GRADIENT(name, type) \
  if constexpr (requires { result.d_##name; }) store_gradient(f::d_##name, kept(result.d_##name * chain));
        PREFOPT_PAIR_GRADIENTS(PREFOPT_STORE_GRADIENT, )
#undef PREFOPT_STORE_GRADIENT
        // Without evidence the posterior is the prior, so that a skipped pair leaves the M-step where it is.
        if constexpr (requires { result.posterior; }) {
          store(f::posterior, xsimd::select(counts, result.posterior, pair.row.reliability));
        }

        V const difference = a.value - b.value;
        losses += kept(value);
        margins += kept(difference);
        chosen += kept(a.value);
        rejected += kept(b.value);
        wins += xsimd::select(counts & (difference >= zero), half, zero) +
                xsimd::select(counts & (difference > zero), half, zero);
        counted += kept(one);
        weights += kept(pair.weight);
      });

  auto const add = [&](sum_index which, V const& x) noexcept { sums[which] += static_cast<double>(sum_of_lanes(x)); };
  add(loss_sum, losses);
  add(right_sum, wins);
  add(margin_sum, margins);
  add(chosen_sum, chosen);
  add(rejected_sum, rejected);
  // What is known without adding up lanes costs a call on few pairs nothing.
  if (skip_non_finite || skip_empty) {
    add(counted_sum, counted);
  } else {
    sums[counted_sum] += static_cast<double>(block.count);
  }
  if (weighted || skip_non_finite || skip_empty) {
    add(weight_sum, weights);
  } else {
    sums[weight_sum] += static_cast<double>(block.count);
  }
  if (xsimd::any(non_finite > zero)) add(non_finite_sum, non_finite);
  if (has_empty) add(empty_sum, empty);
}

/// For a loss with statistics: what it asks for, summed over the counted pairs, and the number of these.
template <class L, class T, class Arch>
PREFOPT_NOINLINE void observe_pairs(void const* loss_address, settings<T> const& settings, block<T>& block,
                                    double* observed) noexcept {
  using f = pair_family;
  using V = xsimd::batch<T, Arch>;
  using lanes = pair_lanes<L, V>;
  L const loss = *static_cast<L const*>(loss_address);
  V const zero(T(0));
  constexpr std::size_t count = observed_by<L>;
  std::array<V, count + 1> totals;
  totals.fill(zero);
  for_each_lanes<V, f::input_count, f::output_count>(
      block, [&](auto const& in, auto const&, std::size_t offset, auto const& live) PREFOPT_INLINE_LAMBDA {
        lanes const pair{in, offset};
        auto counts = live;
        if (settings.skip_non_finite) counts = counts & !pair.is_bad();
        if (settings.skip_empty && settings.has_empty) counts = counts & !lanes::is_empty(in, offset);
        auto const seen = observe(loss, pair.row, pair.better.value, pair.worse.value);
        for (std::size_t i = 0; i < count; ++i) totals[i] += xsimd::select(counts, V(seen[i]), zero);
        totals[count] += xsimd::select(counts, V(T(1)), zero);
      });
  for (std::size_t i = 0; i <= count; ++i) observed[i] += static_cast<double>(sum_of_lanes(totals[i]));
}

}  // namespace prefopt::inline PREFOPT_ABI::detail
