#pragma once

#include <cstddef>
#include <prefopt/engine/pair_block.hpp>
#include <prefopt/contract/pair_loss.hpp>

namespace prefopt::inline PREFOPT_ABI::detail {

/// What a call does to every pair alike.
template <class T>
struct pair_settings {
  T gradient_scale = 1;
  T reward_scale = 1;
  bool accumulate = false;
  bool skip_non_finite = false;
  bool skip_empty = false;
  bool has_empty = false;  ///< lengths are given, read by the score or only to find empty completions
};

/// Sums over the counted pairs.
struct pair_sums {
  double loss = 0, wins = 0, margin = 0, chosen = 0, rejected = 0, weight = 0;
  double counted = 0, non_finite = 0, empty = 0;

  void operator+=(pair_sums const& other) noexcept {
    loss += other.loss;
    wins += other.wins;
    margin += other.margin;
    chosen += other.chosen;
    rejected += other.rejected;
    weight += other.weight;
    counted += other.counted;
    non_finite += other.non_finite;
    empty += other.empty;
  }
};

/// One block of pairs: writes the outputs, adds to the sums. Reads each input and writes each output once.
template <class T>
using pair_kernel = void (*)(void const* loss, pair_settings<T> const&, pair_block<T>&, pair_sums&) noexcept;

template <class V, class T>
PREFOPT_INLINE auto empty_completion(std::array<T const*, input_count> const& in, std::size_t offset) noexcept {
  V const zero(T(0));
  return (V::load_unaligned(in[chosen_length] + offset) == zero) |
         (V::load_unaligned(in[rejected_length] + offset) == zero);
}

template <class L, class T, class Arch>
PREFOPT_NOINLINE void run_pair_kernel(void const* loss_address, pair_settings<T> const& settings, pair_block<T>& block,
                                      pair_sums& sums) noexcept {
  using V = xsimd::batch<T, Arch>;
  using score_type = typename L::score;
  constexpr columns reads = needs_of<L>() | takes_of<L>();
  L const loss = *static_cast<L const*>(loss_address);
  V const zero(T(0)), half(T(0.5)), one(T(1));
  V const gradient_scale(settings.gradient_scale), reward_scale(settings.reward_scale);
  bool const accumulate = settings.accumulate, skip_non_finite = settings.skip_non_finite,
             skip_empty = settings.skip_empty, has_empty = settings.has_empty;
  V loss_sum = zero, wins = zero, margin_sum = zero, chosen_sum = zero, rejected_sum = zero, weight_sum = zero,
    counted = zero, non_finite = zero, empty = zero;

  bool const weighted = block.in[weight] != nullptr;
  for_each_lanes<V>(
      block, [&](auto const& in, auto const& out, std::size_t offset, auto const& live) PREFOPT_INLINE_LAMBDA {
        // Whatever is read goes into the probe: a NaN or an infinity anywhere leaves a NaN there.
        V probe = zero;
        auto const load = [&](input column) PREFOPT_INLINE_LAMBDA {
          V const x = load_ahead<V>(in[column] + offset);
          probe = fused(x, zero, probe);
          return x;
        };
        completion<V> better{load(chosen), zero, one}, worse{load(rejected), zero, one};
        auto const load_given = [&](columns kind, input column, V& into) PREFOPT_INLINE_LAMBDA {
          // Only a column that a loss merely takes can be absent; its neutral value then stands.
          if (contains(needs_of<L>(), kind) || in[column] != nullptr) into = load(column);
        };
        if constexpr (contains(reads, columns::reference)) {
          load_given(columns::reference, ref_chosen, better.reference);
          load_given(columns::reference, ref_rejected, worse.reference);
        }
        if constexpr (contains(reads, columns::length)) {
          load_given(columns::length, chosen_length, better.length);
          load_given(columns::length, rejected_length, worse.length);
        }
        pair_row<V> row{zero, one, one};
        if constexpr (contains(reads, columns::margin)) load_given(columns::margin, margin, row.margin);
        if constexpr (contains(reads, columns::label)) load_given(columns::label, label, row.label);
        if constexpr (contains(reads, columns::reliability)) {
          load_given(columns::reliability, reliability, row.reliability);
        }
        scored<V> const a = score_type{}(better), b = score_type{}(worse);
        auto const result = apply(loss, row, a.value, b.value);
        V value = result.value, chain = gradient_scale, w = one;
        if (in[weight] != nullptr) {
          w = load(weight);
          value = value * w;
          chain = chain * w;
        }

        auto counts = live;
        // Not probe != zero: xsimd 8.1 orders that comparison on AVX, and NaN would pass.
        auto const bad = live & !(probe == zero);
        non_finite += xsimd::select(bad, one, zero);
        if (skip_non_finite) counts = counts & !bad;
        if (has_empty) {
          auto const nothing = empty_completion<V>(in, offset);
          empty += xsimd::select(live & nothing, one, zero);
          if (skip_empty) counts = counts & !nothing;
        }
        auto const kept = [&](V const& x) PREFOPT_INLINE_LAMBDA { return xsimd::select(counts, x, zero); };

        auto const store = [&](output_index column, V const& x) PREFOPT_INLINE_LAMBDA {
          if (out[column] != nullptr) store_ahead(x, out[column] + offset);
        };
        auto const store_gradient = [&](output_index column, V const& x) PREFOPT_INLINE_LAMBDA {
          if (out[column] == nullptr) return;
          T* const target = out[column] + offset;
          store_ahead(accumulate ? V::load_unaligned(target) + x : x, target);
        };
        store(loss_out, kept(value));
        store_gradient(d_chosen_out, kept(result.d_chosen * a.slope * chain));
        store_gradient(d_rejected_out, kept(result.d_rejected * b.slope * chain));
        store(chosen_reward_out, kept(reward_scale * a.value));
        store(rejected_reward_out, kept(reward_scale * b.value));
        // Without evidence the posterior is the prior, so that a skipped pair leaves the M-step where it is.
        if constexpr (requires { result.posterior; }) {
          store(posterior_out, xsimd::select(counts, result.posterior, row.reliability));
        }

        V const difference = a.value - b.value;
        loss_sum += kept(value);
        margin_sum += kept(difference);
        chosen_sum += kept(a.value);
        rejected_sum += kept(b.value);
        wins += xsimd::select(counts & (difference >= zero), half, zero) +
                xsimd::select(counts & (difference > zero), half, zero);
        counted += kept(one);
        weight_sum += kept(w);
      });

  auto const add = [](double& sum, V const& lanes) noexcept { sum += static_cast<double>(sum_of_lanes(lanes)); };
  add(sums.loss, loss_sum);
  add(sums.wins, wins);
  add(sums.margin, margin_sum);
  add(sums.chosen, chosen_sum);
  add(sums.rejected, rejected_sum);
  // What is known without adding up lanes costs a call on few pairs nothing.
  if (skip_non_finite || skip_empty) {
    add(sums.counted, counted);
  } else {
    sums.counted += static_cast<double>(block.count);
  }
  if (weighted || skip_non_finite || skip_empty) {
    add(sums.weight, weight_sum);
  } else {
    sums.weight += static_cast<double>(block.count);
  }
  if (xsimd::any(non_finite > zero)) add(sums.non_finite, non_finite);
  if (has_empty) add(sums.empty, empty);
}

}  // namespace prefopt::inline PREFOPT_ABI::detail
