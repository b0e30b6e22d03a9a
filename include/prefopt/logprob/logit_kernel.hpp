#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <prefopt/logprob/row_kernels.hpp>
#include <prefopt/simd/half.hpp>
#include <prefopt/simd/math.hpp>
#include <type_traits>
#include <utility>

namespace prefopt::inline PREFOPT_ABI::detail {

using namespace PREFOPT_KERNELS;

/// A row of logits is worked through in blocks of this many: what is read of one again comes from the nearest cache.
/// Within a block sums are in lanes, between blocks in double.
inline constexpr std::size_t block_logits = 512;

/// How far ahead of the computation logits are fetched into the cache, in bytes. Measured on rows of 32,000 and 128,256
/// floats from memory: a fifth off the time; 2 to 4 KiB are alike.
inline constexpr std::size_t fetch_logits_ahead = 3072;

PREFOPT_INLINE void fetch_logits(void const* at) noexcept {
#if defined(__GNUC__) || defined(__clang__)
  __builtin_prefetch(static_cast<char const*>(at) + fetch_logits_ahead);
#endif
}

/// Sums over the logits other than the label's, t = x - reference, so that nothing is lost of 1 - p(label) where that
/// is small.
struct row_sums {
  double powers = 0;    ///< exp(t)
  double weighted = 0;  ///< t exp(t)
  double squares = 0;   ///< exp(2 t)

  /// To a reference that is higher by `rise`.
  void lower(double rise) noexcept {
    if (powers == 0) return;
    double const factor = std::exp(-rise);
    // Nothing is left; the rise may be such that its products are infinite. A NaN stays.
    if (factor == 0 && powers == powers) {
      *this = {};
      return;
    }
    weighted = factor * (weighted - rise * powers);
    squares *= factor * factor;
    powers *= factor;
  }
};

/// The loop over a row takes this many batches of lanes at a time.
inline constexpr std::size_t unrolled = 4;

template <class T, class Arch>
PREFOPT_INLINE T highest_lane(std::array<xsimd::batch<T, Arch>, unrolled> const& x) noexcept {
  alignas(Arch::alignment()) T lanes[xsimd::batch<T, Arch>::size];
  xsimd::max(xsimd::max(x[0], x[1]), xsimd::max(x[2], x[3])).store_aligned(lanes);
  T highest = lanes[0];
  for (T const lane : lanes) highest = lane > highest ? lane : highest;
  return highest;
}

/// Calls f(k) for k = 0 … unrolled - 1, each k a constant: so compilers keep arrays of batches in registers.
template <class F>
PREFOPT_INLINE void unroll(F const& f) noexcept {
  [&]<std::size_t... k>(std::index_sequence<k...>) PREFOPT_INLINE_LAMBDA {
    (f(std::integral_constant<std::size_t, k>{}), ...);
  }
  (std::make_index_sequence<unrolled>{});
}

/// The largest of `count` values, a multiple of the lanes of a step. Of a NaN among them nothing is promised.
template <class V, class T>
PREFOPT_INLINE T highest_of(T const* values, std::size_t count) noexcept {
  std::array<V, unrolled> highest;
  unroll([&](auto k) PREFOPT_INLINE_LAMBDA { highest[k] = V::load_unaligned(values + k * V::size); });
  for (std::size_t i = unrolled * V::size; i < count; i += unrolled * V::size) {
    unroll([&](auto k) PREFOPT_INLINE_LAMBDA {
      highest[k] = xsimd::max(V::load_unaligned(values + i + k * V::size), highest[k]);
    });
  }
  return highest_lane(highest);
}

/// Adds up exp(values - reference), and the other sums if asked for; with Keep, writes the powers to `kept`. Gives back
/// the largest value, as highest_of does: if that is above the reference, what has been added is meaningless.
template <class V, bool Statistics, bool Keep, class T>
PREFOPT_INLINE T add_powers(T const* values, std::size_t count, T reference, T* kept, void const* ahead,
                            row_sums& sums) noexcept {
  std::array<V, unrolled> powers, weighted, squares, highest;
  unroll([&](auto k) PREFOPT_INLINE_LAMBDA {
    powers[k] = weighted[k] = squares[k] = V(T(0));
    highest[k] = V(reference);
  });
  V const lowest(math_constants<T>::exp_lowest);
  for (std::size_t i = 0; i < count; i += unrolled * V::size) {
    unroll([&](auto k) PREFOPT_INLINE_LAMBDA {
      std::size_t const at = i + k * V::size;
      fetch_logits(static_cast<char const*>(ahead) + at * sizeof(T));
      V const value = V::load_unaligned(values + at), t = value - V(reference);
      if constexpr (!Keep) highest[k] = xsimd::max(value, highest[k]);
      exp_parts<V> const parts{t, lowest};
      // Fused in every case: what else is asked for does not show in the sum.
      powers[k] = fused(parts.mantissa, parts.power, powers[k]);
      if constexpr (Statistics || Keep) {
        V const power = parts.mantissa * parts.power;
        if constexpr (Keep) power.store_unaligned(kept + at);
        if constexpr (Statistics) {
          weighted[k] = fused(V(xsimd::select(t < lowest, V(T(0)), t)), power, weighted[k]);
          squares[k] = fused(power, power, squares[k]);
        }
      }
    });
  }
  auto const sum = [](std::array<V, unrolled> const& x) noexcept {
    return static_cast<double>(sum_of_lanes(V((x[0] + x[1]) + (x[2] + x[3]))));
  };
  sums.powers += sum(powers);
  if constexpr (Statistics) {
    sums.weighted += sum(weighted);
    sums.squares += sum(squares);
  }
  return Keep ? reference : highest_lane(highest);
}

/// The references that the powers kept of each block are relative to.
inline constexpr std::size_t most_kept_blocks = 1024;

/// Reads a row once. With Keep, the powers exp(x - reference of the block) go to `kept`, which may be the row itself,
/// and the references to `references`.
template <class Arch, bool Statistics, bool Keep, class U, class T = computed_of<U>>
PREFOPT_NOINLINE row_result<T> read_row(U const* row, std::size_t size, std::size_t label, T* kept = nullptr,
                                        T* references = nullptr) noexcept {
  using V = xsimd::batch<T, Arch>;
  constexpr std::size_t step = unrolled * V::size;
  static_assert(block_logits % step == 0);
  constexpr T none = -std::numeric_limits<T>::infinity();
  alignas(64) T buffer[block_logits];
  T const label_logit = load_number(row + label);
  row_result<T> result{};
  // The lowest finite number at least: so -inf has probability 0 in every row.
  T reference = std::numeric_limits<T>::lowest();
  if (label_logit > reference) reference = label_logit;
  row_sums sums;
  for (std::size_t begin = 0; begin < size; begin += block_logits) {
    std::size_t const count = std::min(block_logits, size - begin);
    bool const has_label = label - begin < count;
    T const* values = buffer;
    std::size_t padded = count;
    if constexpr (std::same_as<U, T>) values = row + begin;
    if (!std::same_as<U, T> || has_label || count % step != 0) {
      // The label's logit is left out, and padding adds nothing.
      std::size_t i = 0;
      for (; i + V::size <= count; i += V::size) load_lanes<V>(row + begin + i).store_aligned(buffer + i);
      for (; i < count; ++i) buffer[i] = load_number(row + begin + i);
      padded = (count + step - 1) / step * step;
      std::fill(buffer + count, buffer + padded, none);
      if (has_label) buffer[label - begin] = none;
      values = buffer;
    }
    auto const raise_to = [&](T highest) noexcept {
      sums.lower(static_cast<double>(highest) - static_cast<double>(reference));
      reference = highest;
    };
    // Short blocks are padded: only a whole one is written where it stays.
    T* const target = Keep && padded == count ? kept + begin : buffer;
    // What has to be kept is written over what was read: the maximum must be known before. Otherwise the block is read
    // once, and again if it rises above all before it, which is seldom.
    if (Keep || begin == 0) {
      if (T const highest = highest_of<V>(values, padded); highest > reference) raise_to(highest);
    }
    row_sums added = sums;
    T const highest = add_powers<V, Statistics, Keep>(values, padded, reference, target, row + begin, added);
    if (highest > reference) {
      raise_to(highest);
      added = sums;
      add_powers<V, Statistics, Keep>(values, padded, reference, target, row + begin, added);
    }
    sums = added;
    if constexpr (Keep) {
      if (target == buffer) std::copy_n(buffer, count, kept + begin);
      references[begin / block_logits] = reference;
    }
  }
  double const t = static_cast<double>(label_logit) - static_cast<double>(reference), power = std::exp(t);
  double const all = sums.powers + power;
  result.softmax.reference = reference;
  if (sums.powers < power) {
    // The label has most of the probability: log(1 + x) keeps what is left of it.
    double const rest = std::log1p(sums.powers / power);
    result.softmax.log_sum = t + rest;
    result.log_prob = 0 - rest;
  } else {
    result.softmax.log_sum = std::log(all);
    result.log_prob = t - result.softmax.log_sum;
  }
  if constexpr (Statistics) {
    double const weighted = sums.weighted + (power > 0 ? t * power : 0);
    result.entropy = result.softmax.log_sum - weighted / all;
    result.square_sum = (sums.squares + power * power) / (all * all);
  }
  result.highest = label_logit == reference;
  return result;
}

/// The gradient by a row's logits, d (onehot - softmax): -d p_j everywhere, then d (1 - p) at the label.
/// `target` may be the row itself. What would be subnormal is 0.
template <class Arch, bool Accumulate, class U, class T = computed_of<U>>
PREFOPT_NOINLINE void write_row_gradient(U const* row, std::size_t size, std::size_t label,
                                         row_softmax<T> const& softmax, double d, U* target) noexcept {
  using V = xsimd::batch<T, Arch>;
  double const t = static_cast<double>(load_number(row + label)) - static_cast<double>(softmax.reference);
  double at_label = -d * std::expm1(t - softmax.log_sum);
  if constexpr (Accumulate) at_label += static_cast<double>(load_number(target + label));
  T const factor = static_cast<T>(-d * std::exp(-softmax.log_sum));
  T const smallest = std::min(T(1), std::abs(factor));
  V const lowest(math_constants<T>::exp_lowest - (smallest > 0 ? std::log(smallest) : T(0)));
  auto const step = [&](U const* from, U* to) PREFOPT_INLINE_LAMBDA {
    exp_parts<V> const parts{V(load_lanes<V>(from) - V(softmax.reference)), lowest};
    V gradient = V(factor) * (parts.mantissa * parts.power);
    if constexpr (Accumulate) gradient = load_lanes<V>(to) + gradient;
    store_lanes(gradient, to);
  };
  std::size_t i = 0;
  for (; i + V::size <= size; i += V::size) {
    fetch_logits(row + i);
    step(row + i, target + i);
  }
  if (i < size) {
    U from[V::size]{}, to[V::size]{};
    std::copy_n(row + i, size - i, from);
    if constexpr (Accumulate) std::copy_n(target + i, size - i, to);
    step(from, to);
    std::copy_n(to, size - i, target + i);
  }
  store_number(static_cast<T>(at_label), target + label);
}

/// The same from the powers that read_row kept: only scales them. `target` may be `kept`.
template <class Arch, class U, class T = computed_of<U>>
PREFOPT_NOINLINE void scale_kept_row(T const* kept, std::size_t size, std::size_t label, row_result<T> const& result,
                                     double d, T const* references, U* target) noexcept {
  using V = xsimd::batch<T, Arch>;
  T factor = 0;
  for (std::size_t begin = 0; begin < size; begin += block_logits) {
    T const reference = references[begin / block_logits];
    if (begin == 0 || reference != references[begin / block_logits - 1]) {
      double const relative = static_cast<double>(reference) - static_cast<double>(result.softmax.reference);
      factor = static_cast<T>(-d * std::exp(relative - result.softmax.log_sum));
    }
    // Compared before, so that no subnormal number is ever made: each costs the processor a hundred cycles.
    V const lowest(factor == T(0) ? std::numeric_limits<T>::max() : std::numeric_limits<T>::min() / std::abs(factor));
    auto const step = [&](T const* from, U* to) PREFOPT_INLINE_LAMBDA {
      V const power = V::load_unaligned(from);
      store_lanes(V(xsimd::select(power < lowest, V(T(0)), V(power * V(factor)))), to);
    };
    std::size_t const count = std::min(block_logits, size - begin);
    std::size_t i = 0;
    for (; i + V::size <= count; i += V::size) step(kept + begin + i, target + begin + i);
    if (i < count) {
      T rest[V::size]{};
      U scaled[V::size];
      std::copy_n(kept + begin + i, count - i, rest);
      step(rest, scaled);
      std::copy_n(scaled, count - i, target + begin + i);
    }
  }
  store_number(static_cast<T>(-d * std::expm1(result.log_prob)), target + label);
}

template <class Arch, class U, class T = computed_of<U>>
constexpr row_kernels<T> row_kernels_of() noexcept {
  return {
      sizeof(U),
      [](void const* row, std::size_t size, std::size_t label, row_result<T>& result) noexcept {
        result = read_row<Arch, false, false>(static_cast<U const*>(row), size, label);
      },
      [](void const* row, std::size_t size, std::size_t label, row_result<T>& result) noexcept {
        result = read_row<Arch, true, false>(static_cast<U const*>(row), size, label);
      },
      [](void const* row, std::size_t size, std::size_t label, row_softmax<T> const& softmax, double d,
         void* target) noexcept {
        write_row_gradient<Arch, false>(static_cast<U const*>(row), size, label, softmax, d, static_cast<U*>(target));
      },
      [](void const* row, std::size_t size, std::size_t label, row_softmax<T> const& softmax, double d,
         void* target) noexcept {
        write_row_gradient<Arch, true>(static_cast<U const*>(row), size, label, softmax, d, static_cast<U*>(target));
      }};
}

template <class Arch, class U, class T = computed_of<U>>
constexpr kept_row_kernels<T> kept_row_kernels_of() noexcept {
  return {
      [](void const* row, std::size_t size, std::size_t label, T* kept, T* references, row_result<T>& result) noexcept {
        result = read_row<Arch, false, true>(static_cast<U const*>(row), size, label, kept, references);
      },
      [](void const* row, std::size_t size, std::size_t label, T* kept, T* references, row_result<T>& result) noexcept {
        result = read_row<Arch, true, true>(static_cast<U const*>(row), size, label, kept, references);
      },
      [](T const* kept, std::size_t size, std::size_t label, row_result<T> const& result, double d, T const* references,
         void* target) noexcept {
        scale_kept_row<Arch>(kept, size, label, result, d, references, static_cast<U*>(target));
      }};
}

template <class Arch, class U, class T = computed_of<U>>
PREFOPT_NOINLINE void round_numbers(T const* from, std::size_t count, void* target) noexcept {
  using V = xsimd::batch<T, Arch>;
  auto* const to = static_cast<U*>(target);
  std::size_t i = 0;
  for (; i + V::size <= count; i += V::size) store_lanes(V::load_unaligned(from + i), to + i);
  for (; i < count; ++i) {
    T const value = from[i];
    store_number(value, to + i);
  }
}

}  // namespace prefopt::inline PREFOPT_ABI::detail
