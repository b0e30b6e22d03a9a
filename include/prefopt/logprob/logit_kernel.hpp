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

using transform_kinds = row_transform::kinds;

/// factor (v - reference), which may be a number where v - reference is none.
inline double distance(row_transform const& by, double v, double reference) noexcept {
  double const off = v - reference;
  return std::isinf(off) ? by.factor * v - by.factor * reference : by.factor * off;
}

/// What becomes of logits, in lanes: factor v, see row_transform.
template <class V, transform_kinds kind>
struct transform_lanes {
  using T = typename V::value_type;
  T factor, inner;

  explicit transform_lanes(row_transform const& transform) noexcept
      : factor{static_cast<T>(transform.factor)}, inner{static_cast<T>(transform.inner)} {}

  /// v, and its slope by the logit over `inner`. Infinite logits stay so: -inf is a token that cannot be, +inf a mistake.
  PREFOPT_INLINE math::tanh_parts<V> capped(V const& x) const noexcept {
    auto const parts = math::tanh(V(x * V(inner)));
    return {V(xsimd::select(is_not_finite(x), x, parts.tanh)), parts.slope};
  }

  /// factor (v - reference).
  PREFOPT_INLINE V distance(V const& v, V const& reference) const noexcept {
    V const off = v - reference;
    if constexpr (kind == transform_kinds::none) return off;
    return off * V(factor);
  }

  /// Of one logit, as the lanes compute it.
  [[nodiscard]] math::tanh_parts<T> of(T x) const noexcept {
    if constexpr (kind != transform_kinds::capped) {
      return {x, T(1)};
    } else {
      alignas(V::arch_type::alignment()) T v[V::size], slope[V::size];
      auto const parts = capped(V(x));
      parts.tanh.store_aligned(v);
      parts.slope.store_aligned(slope);
      return {v[0], slope[0]};
    }
  }
};

/// Adds up exp(factor (values - reference)), and the other sums if asked for; with Keep, writes the powers to `kept`,
/// each times its slope if capped. Gives back the largest value, as highest_of does: if that is above the reference,
/// what has been added is meaningless.
template <class V, bool Statistics, bool Keep, class Transform, class T>
PREFOPT_INLINE T add_powers(Transform const& transform, T const* values, std::size_t count, T reference,
                            T const* slopes, T* kept, void const* ahead, row_sums& sums) noexcept {
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
      V const value = V::load_unaligned(values + at), t = transform.distance(value, V(reference));
      if constexpr (!Keep) highest[k] = xsimd::max(value, highest[k]);
      exp_parts<V> const parts{t, lowest};
      // Fused in every case: what else is asked for does not show in the sum.
      powers[k] = fused(parts.mantissa, parts.power, powers[k]);
      if constexpr (Statistics || Keep) {
        V const power = parts.mantissa * parts.power;
        if constexpr (Keep) {
          if (slopes != nullptr) {
            (power * V::load_aligned(slopes + at)).store_unaligned(kept + at);
          } else {
            power.store_unaligned(kept + at);
          }
        }
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

/// Reads a row once. With Keep, the powers exp(factor (v - reference of the block)), each times its slope if capped, go to
/// `kept`, which may be the row itself, and the references to `references`.
template <class Arch, transform_kinds kind, bool Statistics, bool Keep, class U, class T = computed_of<U>>
PREFOPT_NOINLINE row_result<T> read_row(U const* row, std::size_t size, std::size_t label, row_transform const& row_is,
                                        T* kept = nullptr, T* references = nullptr) noexcept {
  using V = xsimd::batch<T, Arch>;
  constexpr std::size_t step = unrolled * V::size;
  constexpr bool is_capped = kind == transform_kinds::capped, keeps_slopes = is_capped && Keep;
  static_assert(block_logits % step == 0);
  constexpr T none = -std::numeric_limits<T>::infinity();
  alignas(64) T buffer[block_logits];
  alignas(64) T slopes[keeps_slopes ? block_logits : 1];
  transform_lanes<V, kind> const transform{row_is};
  auto const of_label = transform.of(load_number(row + label));
  T const label_value = of_label.tanh;
  row_result<T> result{};
  // The lowest finite number at least: so -inf has probability 0 in every row.
  T reference = std::numeric_limits<T>::lowest();
  if (label_value > reference) reference = label_value;
  auto const put = [&](V const& x, std::size_t i) PREFOPT_INLINE_LAMBDA {
    if constexpr (is_capped) {
      auto const parts = transform.capped(x);
      parts.tanh.store_aligned(buffer + i);
      if constexpr (keeps_slopes) parts.slope.store_aligned(slopes + i);
    } else {
      x.store_aligned(buffer + i);
    }
  };
  row_sums sums;
  for (std::size_t begin = 0; begin < size; begin += block_logits) {
    std::size_t const count = std::min(block_logits, size - begin);
    bool const has_label = label - begin < count;
    T const* values = buffer;
    std::size_t padded = count;
    if constexpr (std::same_as<U, T> && !is_capped) values = row + begin;
    if (!std::same_as<U, T> || is_capped || has_label || count % step != 0) {
      // The label's logit is left out, and padding adds nothing.
      std::size_t i = 0;
      for (; i + V::size <= count; i += V::size) put(load_lanes<V>(row + begin + i), i);
      padded = (count + step - 1) / step * step;
      std::size_t const whole = i;
      for (; i < count; ++i) buffer[i] = load_number(row + begin + i);
      std::fill(buffer + count, buffer + padded, none);
      if constexpr (is_capped) {
        for (i = whole; i < padded; i += V::size) put(V::load_aligned(buffer + i), i);
      }
      if (has_label) buffer[label - begin] = none;
      values = buffer;
    }
    auto const raise_to = [&](T highest) noexcept {
      sums.lower(distance(row_is, static_cast<double>(highest), static_cast<double>(reference)));
      reference = highest;
    };
    // Short blocks are padded: only a whole one is written where it stays.
    T* const target = Keep && padded == count ? kept + begin : buffer;
    auto const add_to = [&](row_sums& added) PREFOPT_INLINE_LAMBDA {
      return add_powers<V, Statistics, Keep>(transform, values, padded, reference, keeps_slopes ? slopes : nullptr,
                                             target, row + begin, added);
    };
    // What has to be kept is written over what was read: the maximum must be known before. Otherwise the block is read
    // once, and again if it rises above all before it, which is seldom.
    if (Keep || begin == 0) {
      if (T const highest = highest_of<V>(values, padded); highest > reference) raise_to(highest);
    }
    row_sums added = sums;
    if (T const highest = add_to(added); highest > reference) {
      raise_to(highest);
      added = sums;
      add_to(added);
    }
    sums = added;
    if constexpr (Keep) {
      if (target == buffer) std::copy_n(buffer, count, kept + begin);
      references[begin / block_logits] = reference;
    }
  }
  double const t = distance(row_is, static_cast<double>(label_value), static_cast<double>(reference));
  double const power = std::exp(t), all = sums.powers + power;
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
  result.log_sum_exp = row_is.factor * static_cast<double>(reference) + result.softmax.log_sum;
  if constexpr (Statistics) {
    double const weighted = sums.weighted + (power > 0 ? t * power : 0);
    result.entropy = result.softmax.log_sum - weighted / all;
    result.square_sum = (sums.squares + power * power) / (all * all);
  }
  result.label_slope = row_is.factor * row_is.inner * static_cast<double>(of_label.slope);
  result.highest = label_value == reference;
  return result;
}

/// The gradient by a row's logits x of d log_prob + d' entropy, for x' = factor v: each times the slope of x' by x,
///     d (onehot - p_j) - d' p_j (log p_j + entropy)
/// `target` may be the row itself. What would be subnormal is 0.
template <class Arch, transform_kinds kind, bool Entropy, bool Accumulate, class U, class T = computed_of<U>>
PREFOPT_NOINLINE void write_row_gradient(U const* row, std::size_t size, std::size_t label, row_transform const& row_is,
                                         row_softmax<T> const& softmax, row_slopes const& d, U* target) noexcept {
  using V = xsimd::batch<T, Arch>;
  constexpr bool is_capped = kind == transform_kinds::capped;
  transform_lanes<V, kind> const transform{row_is};
  double const outer = row_is.factor * row_is.inner;
  auto const of_label = transform.of(load_number(row + label));
  double const t = distance(row_is, static_cast<double>(of_label.tanh), static_cast<double>(softmax.reference));
  double const log_prob = t - softmax.log_sum;
  double at_label = -d.log_prob * std::expm1(log_prob);
  // Of what has no probability nothing is left of p log p.
  if constexpr (Entropy) {
    if (double const p = std::exp(log_prob); p != 0) at_label -= d.entropy * p * (log_prob + d.entropy_value);
  }
  if constexpr (kind != transform_kinds::none) at_label *= outer * static_cast<double>(of_label.slope);
  if constexpr (Accumulate) at_label += static_cast<double>(load_number(target + label));
  // power (factor + by_distance t), where power = p exp(log_sum) and t = log p + log_sum.
  double const scale = outer * std::exp(-softmax.log_sum);
  T const by_distance = Entropy ? static_cast<T>(-d.entropy * scale) : T(0);
  double const d_log_power = Entropy ? d.log_prob + d.entropy * (d.entropy_value - softmax.log_sum) : d.log_prob;
  T const factor = static_cast<T>(-d_log_power * scale);
  T const smallest = Entropy ? T(1) : std::min(T(1), std::abs(factor));
  V const lowest(math_constants<T>::exp_lowest - (smallest > 0 ? std::log(smallest) : T(0)));
  auto const step = [&](U const* from, U* to) PREFOPT_INLINE_LAMBDA {
    V value = load_lanes<V>(from), slope(T(1));
    if constexpr (is_capped) {
      auto const parts = transform.capped(value);
      value = parts.tanh;
      slope = parts.slope;
    }
    V const t_of = transform.distance(value, V(softmax.reference));
    exp_parts<V> const parts{t_of, lowest};
    V by(factor);
    if constexpr (Entropy) by = fused(V(by_distance), V(xsimd::select(t_of < lowest, V(T(0)), t_of)), by);
    V gradient = by * (parts.mantissa * parts.power);
    if constexpr (is_capped) gradient = gradient * slope;
    if constexpr (is_capped || Entropy) {
      gradient = xsimd::select(xsimd::abs(gradient) < V(std::numeric_limits<T>::min()), V(T(0)), gradient);
    }
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

/// That of d log_prob from the powers that read_row kept: only scales them. `target` may be `kept`.
template <class Arch, class U, class T = computed_of<U>>
PREFOPT_NOINLINE void scale_kept_row(T const* kept, std::size_t size, std::size_t label, row_transform const& row_is,
                                     row_result<T> const& result, double d, T const* references, U* target) noexcept {
  using V = xsimd::batch<T, Arch>;
  double const outer = row_is.factor * row_is.inner;
  T factor = 0;
  for (std::size_t begin = 0; begin < size; begin += block_logits) {
    T const reference = references[begin / block_logits];
    if (begin == 0 || reference != references[begin / block_logits - 1]) {
      double const relative =
          distance(row_is, static_cast<double>(reference), static_cast<double>(result.softmax.reference));
      factor = static_cast<T>(-d * outer * std::exp(relative - result.softmax.log_sum));
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
  store_number(static_cast<T>(-d * std::expm1(result.log_prob) * result.label_slope), target + label);
}

/// Calls f with the kind of a transform as a constant.
template <class F>
PREFOPT_INLINE void with_kind(row_transform const& transform, F const& f) noexcept {
  using kinds = transform_kinds;
  switch (transform.kind) {
    case kinds::none:
      return f(std::integral_constant<kinds, kinds::none>{});
    case kinds::scaled:
      return f(std::integral_constant<kinds, kinds::scaled>{});
    case kinds::capped:
      return f(std::integral_constant<kinds, kinds::capped>{});
  }
}

template <class Arch, bool Statistics, class U, class T = computed_of<U>>
void read_any_row(void const* row, std::size_t size, std::size_t label, row_transform const& transform,
                  row_result<T>& result) noexcept {
  with_kind(transform, [&](auto kind) noexcept {
    result = read_row<Arch, kind(), Statistics, false>(static_cast<U const*>(row), size, label, transform);
  });
}

template <class Arch, bool Statistics, class U, class T = computed_of<U>>
void read_and_keep_any_row(void const* row, std::size_t size, std::size_t label, row_transform const& transform,
                           T* kept, T* references, row_result<T>& result) noexcept {
  with_kind(transform, [&](auto kind) noexcept {
    result =
        read_row<Arch, kind(), Statistics, true>(static_cast<U const*>(row), size, label, transform, kept, references);
  });
}

template <class Arch, bool Accumulate, class U, class T = computed_of<U>>
void write_any_gradient(void const* row, std::size_t size, std::size_t label, row_transform const& transform,
                        row_softmax<T> const& softmax, row_slopes const& d, void* target) noexcept {
  with_kind(transform, [&](auto kind) noexcept {
    auto const* const from = static_cast<U const*>(row);
    auto* const to = static_cast<U*>(target);
    // A factor of 1 changes no bit of a distance.
    constexpr auto kind_of_entropy = kind() == transform_kinds::none ? transform_kinds::scaled : kind();
    if (d.entropy != 0) {
      write_row_gradient<Arch, kind_of_entropy, true, Accumulate>(from, size, label, transform, softmax, d, to);
    } else {
      write_row_gradient<Arch, kind(), false, Accumulate>(from, size, label, transform, softmax, d, to);
    }
  });
}

template <class Arch, class U, class T = computed_of<U>>
constexpr row_kernels<T> row_kernels_of() noexcept {
  return {sizeof(U), &read_any_row<Arch, false, U>, &read_any_row<Arch, true, U>, &write_any_gradient<Arch, false, U>,
          &write_any_gradient<Arch, true, U>};
}

template <class Arch, class U, class T = computed_of<U>>
constexpr kept_row_kernels<T> kept_row_kernels_of() noexcept {
  return {&read_and_keep_any_row<Arch, false, U>, &read_and_keep_any_row<Arch, true, U>,
          [](T const* kept, std::size_t size, std::size_t label, row_transform const& transform,
             row_result<T> const& result, double d, T const* references, void* target) noexcept {
            scale_kept_row<Arch>(kept, size, label, transform, result, d, references, static_cast<U*>(target));
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
