#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <prefopt/logprob/row_exp.hpp>
#include <prefopt/logprob/row_kernels.hpp>
#include <prefopt/logprob/row_tanh.hpp>
#include <prefopt/simd/half.hpp>
#include <prefopt/simd/math.hpp>
#include <type_traits>
#include <utility>

namespace prefopt::inline PREFOPT_ABI::detail {

using namespace PREFOPT_KERNELS;

/// A row of logits is worked through in blocks of this many: what is read of one again comes from the nearest cache.
/// Within a block sums are in lanes of the logits' type, between blocks in lanes of double.
inline constexpr std::size_t block_logits = 512;

/// How far a row's reference may lie below its highest logit: seldom is a block read twice because it rises.
inline constexpr double tolerated_rise = 4;

/// How far ahead of the computation logits are fetched into the cache, in bytes. Measured on rows of 32,000 and 128,256
/// floats from memory: a fifth off the time; 2 to 4 KiB are alike.
inline constexpr std::size_t fetch_logits_ahead = 3072;

PREFOPT_INLINE void fetch_logits(void const* at) noexcept {
#if defined(__GNUC__) || defined(__clang__)
  __builtin_prefetch(static_cast<char const*>(at) + fetch_logits_ahead);
#endif
}

/// The loop over a row takes this many batches of lanes at a time, and computes as many together.
inline constexpr std::size_t unrolled = 4, together = 2;

template <class V>
PREFOPT_INLINE V highest_of_step(std::array<V, unrolled> const& x) noexcept {
  return xsimd::max(xsimd::max(x[0], x[1]), xsimd::max(x[2], x[3]));
}

template <class T, class Arch>
PREFOPT_INLINE T highest_lane(xsimd::batch<T, Arch> const& x) noexcept {
  alignas(Arch::alignment()) T lanes[xsimd::batch<T, Arch>::size];
  x.store_aligned(lanes);
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

/// The largest of `count` logits, a multiple of the lanes of a step, by lane. Of a NaN among them nothing is promised.
template <class V, class U>
PREFOPT_INLINE V highest_of(U const* from, std::size_t count) noexcept {
  std::array<V, unrolled> highest;
  highest.fill(V(std::numeric_limits<typename V::value_type>::lowest()));
  for (std::size_t i = 0; i < count; i += unrolled * V::size) {
    unroll([&](auto k) PREFOPT_INLINE_LAMBDA {
      if constexpr (k() % together == 0) {
        auto const two = load_two<V>(from + i + k * V::size);
        highest[k] = xsimd::max(two[0], highest[k]);
        highest[k + 1] = xsimd::max(two[1], highest[k + 1]);
      }
    });
  }
  return highest_of_step(highest);
}

using transform_kinds = row_transform::kinds;

/// factor (v - reference), which may be a number where v - reference is none.
inline double distance(row_transform const& by, double v, double reference) noexcept {
  double const off = v - reference;
  return std::isinf(off) && std::isfinite(v) ? by.factor * v - by.factor * reference : by.factor * off;
}

/// The label's log-prob and the logarithm of the sum, from power = exp(t) of the label and the sum of all others'.
template <class T>
void set_log_prob(row_result<T>& result, double t, double power, double others) noexcept {
  if (others < power) {
    // The label has most of the probability: log(1 + x) keeps what is left of it.
    double const rest = std::log1p(others / power);
    result.softmax.log_sum = t + rest;
    result.log_prob = 0 - rest;
  } else {
    result.softmax.log_sum = std::log(others + power);
    result.log_prob = t - result.softmax.log_sum;
  }
}

/// What becomes of logits, in lanes: factor v, see row_transform.
template <class V, transform_kinds kind>
struct transform_lanes {
  using T = typename V::value_type;
  using exp = row_exp<V, kind != transform_kinds::none>;
  static constexpr bool is_capped = kind == transform_kinds::capped;
  double factor;
  row_tanh<V> capped;  ///< v. Infinite logits stay so: -inf is a token that cannot be, +inf a mistake

  explicit transform_lanes(row_transform const& transform) noexcept
      : factor{transform.factor}, capped{transform.inner} {}

  /// The slope of v by inner x; 0 for -inf.
  PREFOPT_INLINE static V slope(V const& v) noexcept {
    V const number = xsimd::max(v, V(T(-1)));
    return fused_negated(number, number, V(T(1)));
  }

  /// v of one logit, as the lanes compute it.
  [[nodiscard]] T of(T x) const noexcept {
    if constexpr (!is_capped) {
      return x;
    } else {
      alignas(V::arch_type::alignment()) T v[V::size];
      capped(V(x)).store_aligned(v);
      return v[0];
    }
  }
  [[nodiscard]] static double slope_of(T v) noexcept {
    if (!is_capped) return 1;
    double const number = std::max(static_cast<double>(v), -1.0);
    return (1 - number) * (1 + number);
  }
};

/// Sums over the logits of a block other than the label's, t = factor (v - reference), so that nothing is lost of
/// 1 - p(label) where that is small.
template <class V>
struct block_sums {
  V powers;             ///< exp(t)
  V weighted, squares;  ///< (v - reference) exp(t), exp(2 t)
  V highest;            ///< v, as highest_of; if it is not asked for, the reference
};

/// Those of a row.
template <class V, bool Statistics>
class row_sums {
 public:
  void add(block_sums<V> const& block) noexcept {
    add_lanes(block.powers, powers_);
    if constexpr (Statistics) {
      add_lanes(block.weighted, weighted_);
      add_lanes(block.squares, squares_);
    }
  }

  /// To a reference that is higher by `rise`, which raises t by `rise_of_t`.
  void lower(double rise, double rise_of_t) noexcept {
    double const factor = std::exp(-rise_of_t);
    for (std::size_t i = 0; i < V::size; ++i) {
      // Where nothing is left the rise may be such that its products are infinite. A NaN stays.
      bool const is_lost = factor == 0 && powers_[i] == powers_[i];
      if constexpr (Statistics) {
        weighted_[i] = is_lost ? 0 : factor * (weighted_[i] - rise * powers_[i]);
        squares_[i] = is_lost ? 0 : squares_[i] * (factor * factor);
      }
      powers_[i] = is_lost ? 0 : powers_[i] * factor;
    }
  }

  [[nodiscard]] double powers() const noexcept { return total(powers_); }
  [[nodiscard]] double weighted() const noexcept { return total(weighted_); }
  [[nodiscard]] double squares() const noexcept { return total(squares_); }

 private:
  using lanes = std::array<double, V::size>;

  PREFOPT_INLINE static void add_lanes(V const& x, lanes& sum) noexcept {
    alignas(V::arch_type::alignment()) typename V::value_type numbers[V::size];
    x.store_aligned(numbers);
    for (std::size_t i = 0; i < V::size; ++i) sum[i] += static_cast<double>(numbers[i]);
  }
  static double total(lanes const& sum) noexcept {
    double all = 0;
    for (double const lane : sum) all += lane;
    return all;
  }

  alignas(64) lanes powers_{}, weighted_{}, squares_{};
};

/// Adds up the powers of a block, and what else is asked for; with Keep, writes the powers to `kept`, each times its
/// slope if capped. If the highest is far above the reference, what has been added is of no use.
template <class V, bool Statistics, bool Keep, class Transform, class S, class T, class U>
PREFOPT_INLINE block_sums<V> add_powers(Transform const& transform, S const* from, std::size_t count, T reference,
                                        T* kept, U const* ahead) noexcept {
  std::array<V, unrolled> powers, weighted, squares, highest;
  unroll([&](auto k) PREFOPT_INLINE_LAMBDA {
    powers[k] = weighted[k] = squares[k] = V(T(0));
    highest[k] = V(reference);
  });
  typename Transform::exp const exp{transform.factor, math_constants<T>::exp_lowest};
  for (std::size_t i = 0; i < count; i += unrolled * V::size) {
    unroll([&](auto k) PREFOPT_INLINE_LAMBDA {
      if constexpr (k() % (sizeof(T) / sizeof(U)) == 0) fetch_logits(ahead + i + k * V::size);
    });
    auto const add = [&](auto first) PREFOPT_INLINE_LAMBDA {
      std::array<V, together> const values = load_two<V>(from + i + first * V::size);
      std::array<V, together> off;
      for (std::size_t j = 0; j < together; ++j) off[j] = values[j] - V(reference);
      auto const parts = exp.of_each(off);
      for (std::size_t j = 0; j < together; ++j) {
        std::size_t const k = first + j;
        if constexpr (!Keep) highest[k] = xsimd::max(values[j], highest[k]);
        // The same in every case: what else is asked for does not show in the sum.
        powers[k] = parts[j].added_to(powers[k]);
        if constexpr (Keep) {
          V number = parts[j].value();
          if constexpr (Transform::is_capped) number = number * transform.slope(values[j]);
          number.store_unaligned(kept + i + k * V::size);
        }
        if constexpr (Statistics) {
          V const number = parts[j].value();
          weighted[k] = fused(V(xsimd::select(number == V(T(0)), V(T(0)), off[j])), number, weighted[k]);
          squares[k] = fused(number, number, squares[k]);
        }
      }
    };
    add(std::integral_constant<std::size_t, 0>{});
    add(std::integral_constant<std::size_t, together>{});
  }
  auto const sum = [](std::array<V, unrolled> const& x)
                       PREFOPT_INLINE_LAMBDA { return V((x[0] + x[1]) + (x[2] + x[3])); };
  return {sum(powers), sum(weighted), sum(squares), highest_of_step(highest)};
}

/// The references that the powers kept of each block are relative to.
inline constexpr std::size_t most_kept_blocks = 1024;

/// Copies logits of a block in the order of load_two, each batch as `of` says, with -inf behind them up to a multiple of two
/// batches.
template <class V, class U, class T, class Of>
PREFOPT_INLINE void copy_batches(U const* from, std::size_t count, T* to, Of const& of) noexcept {
  auto const copy = [&](U const* at, T* target) PREFOPT_INLINE_LAMBDA {
    std::array<V, together> const values = of(load_two<V>(at));
    for (std::size_t k = 0; k < together; ++k) values[k].store_aligned(target + k * V::size);
  };
  std::size_t i = 0;
  for (; i + together * V::size <= count; i += together * V::size) copy(from + i, to + i);
  if (i == count) return;
  U rest[together * V::size];
  std::copy_n(from + i, count - i, rest);
  for (std::size_t k = count - i; k < together * V::size; ++k) {
    store_number(-std::numeric_limits<T>::infinity(), rest + k);
  }
  copy(rest, to + i);
}

/// As v. `are_small` says whether the last block's, and then this one's, are all small for a cap: mostly blocks of a row
/// are alike, and what is small costs half.
template <class V, class Transform, class U, class T>
PREFOPT_INLINE void copy_block(Transform const& transform, U const* from, std::size_t count, T* to,
                               bool& are_small) noexcept {
  using two = std::array<V, together>;
  if constexpr (!Transform::is_capped) {
    copy_batches<V>(from, count, to, [](two const& x) PREFOPT_INLINE_LAMBDA { return x; });
  } else {
    auto const& cap = transform.capped;
    V highest(T(0));
    if (are_small) {
      copy_batches<V>(from, count, to, [&](two const& x) PREFOPT_INLINE_LAMBDA { return cap.of_small(x, highest); });
      if (cap.are_small(highest)) return;
    }
    copy_batches<V>(from, count, to, [&](two const& x) PREFOPT_INLINE_LAMBDA { return cap.of_each(x, highest); });
    are_small = cap.are_small(highest);
  }
}

template <class V, class U>
constexpr std::size_t place_in_block(std::size_t i) noexcept {
  constexpr std::size_t two = together * V::size;
  return i / two * two + place_in_two<V, U>(i % two);
}

/// How many powers are kept of so many logits: of those that are converted, whole batches, for which there is room.
template <class V, class U>
constexpr std::size_t kept_of_block(std::size_t count) noexcept {
  constexpr std::size_t two = together * V::size;
  return std::same_as<U, typename V::value_type> ? count : (count + two - 1) / two * two;
}

/// Reads a row once. With Keep, the powers exp(factor (v - reference of the block)), each times its slope if capped, go to
/// `kept`, which may be the row itself, and the references to `references`.
template <class Arch, transform_kinds kind, bool Statistics, bool Keep, class U, class T = computed_of<U>>
PREFOPT_NOINLINE row_result<T> read_row(U const* row, std::size_t size, std::size_t label, row_transform const& row_is,
                                        T* kept = nullptr, T* references = nullptr) noexcept {
  using V = xsimd::batch<T, Arch>;
  constexpr std::size_t step = unrolled * V::size;
  constexpr bool is_capped = kind == transform_kinds::capped;
  static_assert(block_logits % step == 0);
  constexpr T none = -std::numeric_limits<T>::infinity();
  alignas(64) T buffer[block_logits];
  transform_lanes<V, kind> const transform{row_is};
  T const label_value = transform.of(load_number(row + label));
  row_result<T> result{};
  // The lowest finite number at least: so -inf has probability 0 in every row.
  T reference = std::numeric_limits<T>::lowest();
  if (label_value > reference) reference = label_value;
  V highest(reference);
  row_sums<V, Statistics> sums;
  bool are_small = true;
  T const tolerated = static_cast<T>(tolerated_rise / row_is.factor);
  T limit = reference + tolerated;
  auto const raise_to = [&](T top) noexcept {
    if (!(top > reference)) return;
    double const to = static_cast<double>(top), from = static_cast<double>(reference);
    sums.lower(to - from, distance(row_is, to, from));
    reference = top;
    limit = reference + tolerated;
  };
  for (std::size_t begin = 0; begin < size; begin += block_logits) {
    std::size_t const count = std::min(block_logits, size - begin);
    bool const has_label = label - begin < count;
    auto const add = [&](auto const* from, std::size_t size_of, T* target) PREFOPT_INLINE_LAMBDA {
      auto const added = [&]() PREFOPT_INLINE_LAMBDA {
        return add_powers<V, Statistics, Keep>(transform, from, size_of, reference, target, row + begin);
      };
      // What has to be kept is written over what was read: the maximum must be known before. Otherwise the block is
      // read once, and again if it rises far above all before it, which is seldom.
      if (Keep || begin == 0) {
        V const top = highest_of<V>(from, size_of);
        highest = xsimd::max(top, highest);
        if (begin == 0 || xsimd::any(top > V(limit))) raise_to(highest_lane(top));
      }
      block_sums<V> block = added();
      if (!Keep && xsimd::any(block.highest > V(limit))) {
        raise_to(highest_lane(block.highest));
        block = added();
      }
      highest = xsimd::max(block.highest, highest);
      sums.add(block);
    };
    if (!is_capped && !has_label && count % step == 0) {
      add(row + begin, count, Keep ? kept + begin : nullptr);
    } else {
      // The label's logit is left out, and padding adds nothing.
      std::size_t const padded = (count + step - 1) / step * step;
      std::fill(buffer + (padded - step), buffer + padded, none);
      copy_block<V>(transform, row + begin, count, buffer, are_small);
      if (has_label) buffer[place_in_block<V, U>(label - begin)] = none;
      // Short blocks are padded: only a whole one is written where it stays.
      T* const to = Keep && padded == count ? kept + begin : buffer;
      add(static_cast<T const*>(buffer), padded, to);
      if constexpr (Keep) {
        if (to == buffer) std::copy_n(buffer, kept_of_block<V, U>(count), kept + begin);
      }
    }
    if constexpr (Keep) references[begin / block_logits] = reference;
  }
  double const t = distance(row_is, static_cast<double>(label_value), static_cast<double>(reference));
  double const power = std::exp(t), others = sums.powers(), all = others + power;
  result.softmax.reference = reference;
  set_log_prob(result, t, power, others);
  result.log_sum_exp = row_is.factor * static_cast<double>(reference) + result.softmax.log_sum;
  if constexpr (Statistics) {
    double const weighted = row_is.factor * sums.weighted() + (power > 0 ? t * power : 0);
    result.entropy = result.softmax.log_sum - weighted / all;
    result.square_sum = (sums.squares() + power * power) / (all * all);
  }
  result.label_slope = row_is.factor * row_is.inner * transform.slope_of(label_value);
  result.highest = label_value == highest_lane(highest);
  return result;
}

/// The gradient by a row's logits x of d log_prob + d' entropy, for x' = factor v: each times the slope of x' by x,
///     d (onehot - p_j) - d' p_j (log p_j + entropy)
/// `target` may be the row itself. What would be subnormal is 0; with a cap what is less than 1.4 times the smallest normal
/// number can be, too.
template <class Arch, transform_kinds kind, bool Entropy, bool Accumulate, class U, class T = computed_of<U>>
PREFOPT_NOINLINE void write_row_gradient(U const* row, std::size_t size, std::size_t label, row_transform const& row_is,
                                         row_softmax<T> const& softmax, row_slopes const& d, U* target) noexcept {
  using V = xsimd::batch<T, Arch>;
  constexpr bool is_capped = kind == transform_kinds::capped;
  transform_lanes<V, kind> const transform{row_is};
  double const outer = row_is.factor * row_is.inner;
  T const label_value = transform.of(load_number(row + label));
  double const t = distance(row_is, static_cast<double>(label_value), static_cast<double>(softmax.reference));
  double const log_prob = t - softmax.log_sum;
  double at_label = -d.log_prob * std::expm1(log_prob);
  // Of what has no probability nothing is left of p log p.
  if constexpr (Entropy) {
    if (double const p = std::exp(log_prob); p != 0) at_label -= d.entropy * p * (log_prob + d.entropy_value);
  }
  if constexpr (kind != transform_kinds::none) at_label *= outer * transform.slope_of(label_value);
  if constexpr (Accumulate) at_label += static_cast<double>(load_number(target + label));
  // power (factor + by_distance (v - reference)), where power = p exp(log_sum) and t = log p + log_sum.
  double const scale = outer * std::exp(-softmax.log_sum);
  T const by_distance = Entropy ? static_cast<T>(-d.entropy * scale * row_is.factor) : T(0);
  double const d_log_power = Entropy ? d.log_prob + d.entropy * (d.entropy_value - softmax.log_sum) : d.log_prob;
  // A NaN is one whose low bits are 0, so that it can be rounded.
  T factor = static_cast<T>(-d_log_power * scale);
  if (factor != factor) factor = std::numeric_limits<T>::quiet_NaN();
  T const smallest = Entropy ? T(1) : std::min(T(1), std::abs(factor));
  T const lowest = math_constants<T>::exp_lowest - (smallest > 0 ? std::log(smallest) : T(0));
  // Times the slope of a cap that is not large nothing is subnormal, either.
  typename transform_lanes<V, kind>::exp const exp{row_is.factor, is_capped ? lowest + T(0.3) : lowest};
  using two = std::array<V, together>;
  auto const step = [&](two const& values, U* to, auto may_be_subnormal) PREFOPT_INLINE_LAMBDA {
    two off, gradient;
    for (std::size_t k = 0; k < together; ++k) off[k] = values[k] - V(softmax.reference);
    auto const powers = exp.of_each(off);
    for (std::size_t k = 0; k < together; ++k) {
      V const power = powers[k].value();
      V by(factor);
      if constexpr (Entropy) by = fused(V(by_distance), V(xsimd::select(power == V(T(0)), V(T(0)), off[k])), by);
      gradient[k] = by * power;
      if constexpr (is_capped) gradient[k] = gradient[k] * transform.slope(values[k]);
      if constexpr (may_be_subnormal()) {
        auto const below = xsimd::abs(gradient[k]) < V(std::numeric_limits<T>::min());
        gradient[k] = xsimd::select(below, V(T(0)), gradient[k]);
      }
    }
    if constexpr (Accumulate) {
      two const before = load_two<V>(to);
      for (std::size_t k = 0; k < together; ++k) gradient[k] = before[k] + gradient[k];
    }
    store_two(gradient, to);
  };
  constexpr std::size_t size_of_two = together * V::size;
  auto const write = [&](auto const& load, std::size_t count, U* to, auto may_be_subnormal) PREFOPT_INLINE_LAMBDA {
    std::size_t i = 0;
    for (; i + size_of_two <= count; i += size_of_two) step(load(i, size_of_two), to + i, may_be_subnormal);
    if (i == count) return;
    U written[size_of_two]{};
    if constexpr (Accumulate) std::copy_n(to + i, count - i, written);
    step(load(i, count - i), written, may_be_subnormal);
    std::copy_n(written, count - i, to + i);
  };
  if constexpr (is_capped) {
    alignas(64) T buffer[block_logits];
    bool are_small = true;
    for (std::size_t begin = 0; begin < size; begin += block_logits) {
      std::size_t const count = std::min(block_logits, size - begin);
      copy_block<V>(transform, row + begin, count, buffer, are_small);
      auto const load = [&](std::size_t i, std::size_t) PREFOPT_INLINE_LAMBDA { return load_two<V>(buffer + i); };
      if (are_small) {
        write(load, count, target + begin, std::bool_constant<Entropy>{});
      } else {
        write(load, count, target + begin, std::true_type{});
      }
    }
  } else {
    auto const load = [&](std::size_t i, std::size_t count) PREFOPT_INLINE_LAMBDA {
      for (std::size_t k = 0; k < size_of_two; k += 64 / sizeof(U)) fetch_logits(row + i + k);
      if (count == size_of_two) return load_two<V>(row + i);
      U rest[size_of_two]{};
      std::copy_n(row + i, count, rest);
      return load_two<V>(static_cast<U const*>(rest));
    };
    write(load, size, target, std::bool_constant<Entropy>{});
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
      if (factor != factor) factor = std::numeric_limits<T>::quiet_NaN();
    }
    // Compared before, so that no subnormal number is ever made: each costs the processor a hundred cycles.
    V const lowest(factor == T(0) ? std::numeric_limits<T>::max() : std::numeric_limits<T>::min() / std::abs(factor));
    auto const step = [&](T const* from, U* to) PREFOPT_INLINE_LAMBDA {
      std::array<V, together> scaled = load_two<V>(from);
      for (V& power : scaled) power = xsimd::select(power < lowest, V(T(0)), V(power * V(factor)));
      store_two(scaled, to);
    };
    std::size_t const count = std::min(block_logits, size - begin);
    std::size_t i = 0;
    for (; i + together * V::size <= count; i += together * V::size) step(kept + begin + i, target + begin + i);
    if (i < count) {
      T rest[together * V::size]{};
      U scaled[together * V::size];
      std::copy_n(kept + begin + i, kept_of_block<V, U>(count) - i, rest);
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
    // A factor of 1 changes no bit of a distance.
    case kinds::none:
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
    if (d.entropy != 0) {
      write_row_gradient<Arch, kind(), true, Accumulate>(from, size, label, transform, softmax, d, to);
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
