#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <prefopt/contract/token_surrogate.hpp>
#include <prefopt/engine/block.hpp>

// What is done with every token: the surrogate, and what is made of its value and slope.

namespace prefopt::inline PREFOPT_ABI::detail {

/// x where the token counts, else 0.
template <class V, class T>
PREFOPT_INLINE V live_part(T const* live, std::size_t offset, V const& x) noexcept {
  if (live == nullptr) return x;
  V const zero(T(0));
  return xsimd::select(V::load_unaligned(live + offset) > zero, x, zero);
}

/// Infinity is none.
template <class T>
PREFOPT_INLINE bool is_limit(T limit) noexcept {
  return limit <= std::numeric_limits<T>::max();
}

/// a * b; 0 where either is, whatever the other.
template <class V>
PREFOPT_INLINE V product_or_zero(V const& a, V const& b) noexcept {
  return xsimd::select(b == math::constant<V>(0), b, math::vanishing(a, b));
}

/// Tokens in lanes, with what the surrogate L reads. Columns that are not there have their neutral values.
template <class L, class V, class T, class In>
PREFOPT_INLINE token_row<V> token_lanes(In const& in, std::size_t offset, T log_ratio_limit) noexcept {
  V log_ratio(T(0)), statistic(T(0)), correction(T(1)), selected(T(0));
  V const log_prob = load_ahead<V>(in[log_prob_in] + offset);
  V old = log_prob;
  if (in[old_log_prob_in] != nullptr) {
    old = load_ahead<V>(in[old_log_prob_in] + offset);
    log_ratio = log_prob - old;
    if (is_limit(log_ratio_limit)) log_ratio = math::limited(log_ratio, V(-log_ratio_limit), V(log_ratio_limit));
  }
  if constexpr (has_statistic<L>) {
    if (in[statistic_in] != nullptr) statistic = V::load_unaligned(in[statistic_in] + offset);
  }
  if constexpr (takes_correction<L>()) {
    if (in[correction_in] != nullptr) correction = V::load_unaligned(in[correction_in] + offset);
  }
  if constexpr (selection_of<L>() != token_selection::none) selected = V::load_unaligned(in[selected_in] + offset);
  return {log_prob, old, log_ratio, load_ahead<V>(in[advantage_in] + offset), statistic, correction, selected};
}

/// A slope by the log-ratio, which has none where that is limited.
template <class V, class T>
PREFOPT_INLINE V limited_slope(V const& slope, token_row<V> const& row, T log_ratio_limit) noexcept {
  if (!is_limit(log_ratio_limit)) return slope;
  return xsimd::select(xsimd::abs(V(row.log_prob - row.old_log_prob)) > V(log_ratio_limit), V(T(0)), slope);
}

/// Lanes with a NaN or an infinity in a column that is given.
template <class V, class In>
PREFOPT_INLINE auto bad_tokens(In const& in, std::size_t offset) noexcept {
  V const zero(typename V::value_type(0));
  V probe = zero;
  for (std::size_t const c :
       {log_prob_in, old_log_prob_in, advantage_in, ref_log_prob_in, rollout_log_prob_in, entropy_in}) {
    if (in[c] != nullptr) probe = math::fma(V::load_unaligned(in[c] + offset), zero, probe);
  }
  // Not probe != 0: xsimd 8.1 orders that comparison on AVX, and NaN would pass.
  return !(probe == zero);
}

/// A power of two near the largest correction of the tokens that count: its square, that of a product of many ratios, is
/// soon no float.
template <class V, class T>
T unit_of_corrections(block<T> const& block) noexcept {
  T const* const corrections = block.in[correction_in];
  T const* const live = block.in[live_in];
  V highest(T(0));
  std::size_t i = 0;
  for (; i + V::size <= block.count; i += V::size) {
    V correction = V::load_unaligned(corrections + i);
    if (live != nullptr) correction = xsimd::select(V::load_unaligned(live + i) > V(T(0)), correction, V(T(0)));
    highest = xsimd::max(correction, highest);
  }
  alignas(64) T of_lane[V::size];
  highest.store_aligned(of_lane);
  T most = *std::max_element(of_lane, of_lane + V::size);
  for (; i < block.count; ++i) {
    if (live == nullptr || live[i] > T(0)) most = std::max(most, corrections[i]);
  }
  constexpr int largest = std::numeric_limits<T>::max_exponent - 8;
  return most > T(0) && std::isfinite(most) ? std::ldexp(T(1), std::clamp(std::ilogb(most), -largest, largest)) : T(1);
}

/// `Plain`: of what is asked for seldom there is nothing, and nothing that is tested for it a token (is_plain).
template <bool Plain, class L, class T, class Arch>
PREFOPT_NOINLINE void run_surrogate_as(void const* address, surrogate_settings<T> const& settings, block<T>& block,
                                       token_sums& totals) noexcept {
  using V = xsimd::batch<T, Arch>;
  T const unit = Plain || block.in[correction_in] == nullptr ? T(1) : unit_of_corrections<V>(block);
  L const surrogate = *static_cast<L const*>(address);
  T const limit = Plain ? std::numeric_limits<T>::infinity() : settings.log_ratio_limit;
  bool const accumulate = !Plain && settings.accumulate;
  V const zero(T(0)), one(T(1)), kl_coefficient(settings.kl_coefficient),
      entropy_coefficient(settings.entropy_coefficient), common_factor(settings.factor);
  V losses = zero, ratios = zero, below = zero, above = zero, squared = zero, kls = zero, entropies = zero,
    corrections = zero, squares = zero, non_finite = zero, largest = zero;
  V const per_unit(T(1) / unit);
  for_each_lanes<V, surrogate_inputs, surrogate_outputs>(
      block, [&](auto const& in, auto const& out, std::size_t offset, auto const& is_there) PREFOPT_INLINE_LAMBDA {
        auto const has_rare = [&](std::size_t c) PREFOPT_INLINE_LAMBDA { return !Plain && in[c] != nullptr; };
        auto const row = token_lanes<L, V>(in, offset, limit);
        auto counts = is_there;
        if (in[live_in] != nullptr) counts = counts & (load_ahead<V>(in[live_in] + offset) > zero);
        auto const only = [&](V const& x) PREFOPT_INLINE_LAMBDA { return V(xsimd::select(counts, x, zero)); };
        auto const count_in = [&](V& sum, V const& x)
                                  PREFOPT_INLINE_LAMBDA { sum = xsimd::select(counts, V(sum + x), sum); };

        auto const at = surrogate(row);
        V value = at.value, slope = at.slope;
        if constexpr (slope_of<L>() == surrogate_slope::by_log_ratio) {
          slope = limited_slope(slope, row, limit);
        } else if constexpr (slope_of<L>() == surrogate_slope::by_sequence) {
          V const of_statistic = limited_slope(V(surrogate.statistic(row).slope), row, limit);
          slope = math::vanishing(of_statistic, V::load_unaligned(in[chain_in] + offset));
        }
        V correction = one;
        if (has_rare(correction_in)) {
          correction = V::load_unaligned(in[correction_in] + offset);
          V const in_units = correction * per_unit;
          count_in(corrections, in_units);
          count_in(squares, V(in_units * in_units));
          if constexpr (!takes_correction<L>()) {
            value = product_or_zero(correction, value);
            // Those by the sequence have it in their sum.
            if constexpr (slope_of<L>() != surrogate_slope::by_sequence) slope = product_or_zero(correction, slope);
          }
        }
        if (has_rare(off_policy_in)) {
          auto const is_off = V::load_unaligned(in[off_policy_in] + offset) > zero;
          value = xsimd::select(is_off, zero, value);
          // By its sequence's statistic, others' surrogates still move with it.
          if constexpr (slope_of<L>() != surrogate_slope::by_sequence) slope = xsimd::select(is_off, zero, slope);
        }
        if (in[kl_in] != nullptr) {
          V const kl = V::load_unaligned(in[kl_in] + offset);
          count_in(kls, kl);
          if (in[kl_slope_in] != nullptr) {
            V const kl_slope = V::load_unaligned(in[kl_slope_in] + offset);
            if (!Plain && settings.is_corrected) {
              V const price = kl_coefficient * correction;
              value = value + product_or_zero(price, kl);
              slope = slope + product_or_zero(price, kl_slope);
            } else {
              value = math::fma(kl_coefficient, kl, value);
              slope = math::fma(kl_coefficient, kl_slope, slope);
            }
          }
        }
        if (has_rare(entropy_in)) {
          V const entropy = load_ahead<V>(in[entropy_in] + offset);
          value = value - math::vanishing(entropy_coefficient, entropy);
          count_in(entropies, entropy);
        }
        V const factor = in[factor_in] == nullptr ? common_factor : V::load_unaligned(in[factor_in] + offset);
        auto const put = [&](std::size_t c, V x) PREFOPT_INLINE_LAMBDA {
          if (out[c] == nullptr) return;
          if (c != token_loss_out && accumulate) x = V::load_unaligned(out[c] + offset) + x;
          store_ahead(x, out[c] + offset);
        };
        // A NaN or an infinity wherever one is read; perhaps also where a sum of finite numbers is none.
        V const apart = row.log_prob - row.old_log_prob;
        V probe = row.advantage + apart;
        auto const look_at = [&](std::size_t c) PREFOPT_INLINE_LAMBDA {
          if (in[c] != nullptr) probe = probe + V::load_unaligned(in[c] + offset);
        };
        look_at(ref_log_prob_in);
        if (!Plain) {
          look_at(rollout_log_prob_in);
          look_at(entropy_in);
        }
        // Before anything is written: a result may go where an input lies.
        if (xsimd::any(counts & is_not_finite(probe))) [[unlikely]] {
          auto const are_bad = counts & bad_tokens<V>(in, offset);
          non_finite += xsimd::select(are_bad, one, zero);
        }
        put(token_loss_out, only(value));
        put(d_log_prob_out, only(V(factor * slope)));
        if (!Plain) put(d_entropy_out, only(V(-entropy_coefficient * factor)));
        count_in(losses, V(factor * value));
        count_in(below, at.below);
        count_in(above, at.above);
        if (in[old_log_prob_in] != nullptr) {
          V const ratio = ratio_of(surrogate, row);
          count_in(ratios, ratio);
          largest = xsimd::select(counts & (ratio > largest), ratio, largest);
          count_in(squared, V(apart * apart));
        }
      });
  auto const add = [&](token_sum which, V const& x)
                       PREFOPT_INLINE_LAMBDA { totals.of[which] += static_cast<double>(sum_of_lanes(x)); };
  add(token_loss_sum, losses);
  add(below_sum, below);
  add(above_sum, above);
  add(token_non_finite_sum, non_finite);
  if (block.in[old_log_prob_in] != nullptr) {
    add(ratio_sum, ratios);
    add(squared_log_ratio_sum, squared);
    alignas(64) T ratio[V::size];
    largest.store_aligned(ratio);
    totals.largest_ratio =
        std::max(totals.largest_ratio, static_cast<double>(*std::max_element(ratio, ratio + V::size)));
  }
  if (block.in[kl_in] != nullptr) add(kl_sum, kls);
  if (block.in[entropy_in] != nullptr) add(entropy_sum, entropies);
  if (block.in[correction_in] != nullptr) {
    double const of_unit = static_cast<double>(unit);
    totals.of[correction_sum] += of_unit * static_cast<double>(sum_of_lanes(corrections));
    totals.of[correction_square_sum] += of_unit * of_unit * static_cast<double>(sum_of_lanes(squares));
  }
}

/// Whether nothing but a mask and the KL is asked for beyond the surrogate.
template <class T>
bool is_plain(surrogate_settings<T> const& settings, block<T> const& block) noexcept {
  auto const is_given = [&](std::size_t c) { return block.in[c] != nullptr; };
  return !settings.accumulate && !settings.is_corrected && !is_limit(settings.log_ratio_limit) &&
         !is_given(correction_in) && !is_given(off_policy_in) && !is_given(entropy_in) &&
         !is_given(rollout_log_prob_in) && block.out[d_entropy_out] == nullptr;
}

template <class L, class T, class Arch>
PREFOPT_NOINLINE void run_surrogate(void const* address, surrogate_settings<T> const& settings, block<T>& block,
                                    token_sums& totals) noexcept {
  if (is_plain(settings, block)) return run_surrogate_as<true, L, T, Arch>(address, settings, block, totals);
  run_surrogate_as<false, L, T, Arch>(address, settings, block, totals);
}

template <class L, class T, class Arch>
PREFOPT_NOINLINE void run_statistic(void const* address, T log_ratio_limit, block<T>& given) noexcept {
  using V = xsimd::batch<T, Arch>;
  L const surrogate = *static_cast<L const*>(address);
  block<T> tokens = given;
  for_each_lanes<V, surrogate_inputs, 1>(
      tokens, [&](auto const& in, auto const& out, std::size_t offset, auto const&) PREFOPT_INLINE_LAMBDA {
        auto const at = surrogate.statistic(token_lanes<L, V>(in, offset, log_ratio_limit));
        live_part(in[live_in], offset, at.value).store_unaligned(out[0] + offset);
      });
}

template <class L, class T, class Arch>
PREFOPT_NOINLINE void run_slopes(void const* address, T log_ratio_limit, block<T>& given) noexcept {
  using V = xsimd::batch<T, Arch>;
  L const surrogate = *static_cast<L const*>(address);
  block<T> tokens = given;
  for_each_lanes<V, surrogate_inputs, 1>(
      tokens, [&](auto const& in, auto const& out, std::size_t offset, auto const&) PREFOPT_INLINE_LAMBDA {
        V slope = surrogate(token_lanes<L, V>(in, offset, log_ratio_limit)).slope;
        if (in[correction_in] != nullptr) {
          slope = product_or_zero(V(V::load_unaligned(in[correction_in] + offset)), slope);
        }
        if (in[off_policy_in] != nullptr) {
          slope = xsimd::select(V::load_unaligned(in[off_policy_in] + offset) > V(T(0)), V(T(0)), slope);
        }
        live_part(in[live_in], offset, slope).store_unaligned(out[0] + offset);
      });
}

}  // namespace prefopt::inline PREFOPT_ABI::detail
