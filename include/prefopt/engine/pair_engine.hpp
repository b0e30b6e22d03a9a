#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <limits>
#include <memory>
#include <prefopt/core/arithmetic.hpp>
#include <prefopt/engine/pair_kernel.hpp>
#include <prefopt/engine/ranks.hpp>
#include <prefopt/batch/options.hpp>
#include <prefopt/batch/report.hpp>
#include <prefopt/simd/math.hpp>
#include <string>
#include <type_traits>

namespace prefopt::inline PREFOPT_ABI::detail {

/// What the engine knows of a loss.
struct pair_traits {
  std::string (*name)();
  columns needs, takes;
  bool has_posterior;
  unsigned needs_bits, reads_bits;  ///< of the inputs
};

/// At most this many parts can be run at once; their number and bounds depend on the batch's size alone.
inline constexpr std::size_t most_parts = 64;

struct parts {
  std::size_t pairs, length, count;

  explicit constexpr parts(std::size_t n) noexcept : pairs{n} {
    std::size_t const blocks = (n + block_pairs - 1) / block_pairs;
    length = std::max<std::size_t>((blocks + most_parts - 1) / most_parts, 16) * block_pairs;
    count = n <= length ? static_cast<std::size_t>(n != 0) : (n + length - 1) / length;
  }
};

/// Runs body(block, sums) over all blocks of a batch and adds up the sums in an order that depends on the size alone.
template <class T, class Sums, class Body>
Sums for_each_block(pair_batch<T> const& batch, pair_outputs<T> const& results, bool fetch_gradients,
                    executor const& run, Body const& body) {
  parts const split{batch.chosen.size()};
  // Each part makes its own: a call on few pairs must not pay for sums that it does not need.
  union partial_sums {
    partial_sums() noexcept {}
    Sums sums;
  };
  static_assert(std::is_trivially_destructible_v<Sums>);
  partial_sums partial[most_parts];
  auto const part = [&](std::size_t index) noexcept {
    Sums& sums = *std::construct_at(&partial[index].sums);
    T in_buffer[input_count][block_pairs];
    T out_buffer[output_count][block_pairs];
    std::size_t const end = std::min(split.pairs, (index + 1) * split.length);
    for (std::size_t begin = index * split.length; begin < end; begin += block_pairs) {
      pair_block<T> block;
      block.count = std::min(block_pairs, end - begin);
      for (std::size_t c = 0; c < input_count; ++c) {
        block.in[c] = (batch.*input_columns<T>[c]).block(begin, block.count, in_buffer[c]);
      }
      for (std::size_t c = 0; c < output_count; ++c) {
        bool const fetch = fetch_gradients && (c == d_chosen_out || c == d_rejected_out);
        block.out[c] = (results.*output_columns<T>[c]).block(begin, block.count, out_buffer[c], fetch);
      }
      body(block, begin, sums);
      for (std::size_t c = 0; c < output_count; ++c) {
        (results.*output_columns<T>[c]).commit(begin, block.count, out_buffer[c]);
      }
    }
  };
  run(split.count, executor::task{part});
  Sums total{};
  for (std::size_t i = 0; i < split.count; ++i) total += partial[i].sums;
  return total;
}

/// What has to be known of a batch's values before anything is written.
struct inspection {
  double weight = 0, counted = 0;
  /// Lowest pair with a value out of its column's range, a NaN or infinity, an empty completion; no_pair if none has.
  std::size_t out_of_range = no_pair, non_finite = no_pair, empty = no_pair;

  static constexpr std::size_t no_pair = static_cast<std::size_t>(-1);

  void operator+=(inspection const& other) noexcept {
    weight += other.weight;
    counted += other.counted;
    out_of_range = std::min(out_of_range, other.out_of_range);
    non_finite = std::min(non_finite, other.non_finite);
    empty = std::min(empty, other.empty);
  }
};

/// The range of a column's values; log-probs and margins may be anything.
constexpr bool has_range(std::size_t column) noexcept {
  return column == chosen_length || column == rejected_length || column == weight || column == label ||
         column == reliability;
}

template <class T>
constexpr T highest(std::size_t column) noexcept {
  return column == label || column == reliability ? T(1)
         : column == weight                       ? std::numeric_limits<T>::max()
                                                  : std::numeric_limits<T>::infinity();
}

/// Which lanes of a batch hold a NaN or an infinity in any column that is given.
template <class V, class T>
PREFOPT_INLINE auto not_finite(std::array<T const*, input_count> const& in, std::size_t offset) noexcept {
  V const zero(T(0));
  V probe = zero;
  for (T const* column : in) {
    if (column != nullptr) probe = fused(load_ahead<V>(column + offset), zero, probe);
  }
  return !(probe == zero);
}

/// Lowers `lowest` to the first marked lane of the batch of lanes that begins at pair `at`.
template <class T, class Arch>
PREFOPT_COLD void note_first(xsimd::batch_bool<T, Arch> const& lanes, std::size_t at, std::size_t& lowest) noexcept {
  if (!xsimd::any(lanes)) return;
  bool marks[xsimd::batch<T, Arch>::size];
  lanes.store_unaligned(marks);
  lowest = std::min(lowest, at + static_cast<std::size_t>(std::find(marks, std::end(marks), true) - marks));
}

template <class T, class Arch>
PREFOPT_NOINLINE void inspect(pair_block<T>& block, std::size_t begin, bool needs_finite, bool has_empty,
                              bool skip_non_finite, bool skip_empty, inspection& seen) noexcept {
  using V = xsimd::batch<T, Arch>;
  V const zero(T(0)), one(T(1));
  V weights = zero, counted = zero;
  std::size_t at = begin;
  for_each_lanes<V>(block,
                    [&](auto const& in, auto const&, std::size_t offset, auto const& live) PREFOPT_INLINE_LAMBDA {
                      auto outside = live & !live;
                      for (std::size_t c = chosen_length; c < input_count; ++c) {
                        if (in[c] == nullptr || !has_range(c)) continue;
                        V const x = load_ahead<V>(in[c] + offset);
                        // A pair to be skipped may have any weight that is not finite.
                        if (c == weight && skip_non_finite) {
                          outside = outside | ((x < zero) & (x >= V(std::numeric_limits<T>::lowest())));
                          continue;
                        }
                        outside = outside | (x < zero);
                        // One weight enters the sum that every gradient is divided by: it has to be finite.
                        if (highest<T>(c) < std::numeric_limits<T>::infinity())
                          outside = outside | (x > V(highest<T>(c)));
                        if (c == weight) outside = outside | !(x == x);
                      }
                      auto const none = live & !live;
                      auto const bad = needs_finite ? live & not_finite<V>(in, offset) : none;
                      auto const nothing = has_empty ? live & empty_completion<V>(in, offset) : none;
                      outside = live & outside;
                      if (xsimd::any(outside | bad | nothing)) [[unlikely]] {
                        note_first(outside, at, seen.out_of_range);
                        note_first(bad, at, seen.non_finite);
                        note_first(nothing, at, seen.empty);
                      }
                      auto counts = live;
                      if (skip_non_finite) counts = counts & !bad;
                      if (skip_empty) counts = counts & !nothing;
                      counted += xsimd::select(counts, one, zero);
                      if (in[weight] != nullptr)
                        weights += xsimd::select(counts, V::load_unaligned(in[weight] + offset), zero);
                      at += V::size;
                    });
  seen.counted += static_cast<double>(sum_of_lanes(counted));
  seen.weight += static_cast<double>(sum_of_lanes(block.in[weight] != nullptr ? weights : counted));
}

[[noreturn]] PREFOPT_COLD inline void fail_evaluate(std::string const& what) { fail("evaluate", what); }

[[noreturn]] PREFOPT_COLD inline void fail_size(std::string const& name, std::size_t size, std::size_t pairs) {
  fail_evaluate(name + " has " + elements(size) + ", chosen has " + text(pairs));
}

/// Which of the pair_batch's columns the columns of a loss are.
inline constexpr std::array<columns, input_count> column_kind{
    columns::none,   columns::none, columns::reference, columns::reference, columns::length,
    columns::length, columns::none, columns::margin,    columns::label,     columns::reliability};

/// The inputs that make up `which`, a bit each; chosen and rejected always.
constexpr unsigned input_bits(columns which) noexcept {
  unsigned bits = 1U << chosen | 1U << rejected;
  for (std::size_t c = 0; c < input_count; ++c) {
    if (column_kind[c] != columns::none && contains(which, column_kind[c])) bits |= 1U << c;
  }
  return bits;
}

/// Says what is wrong with the columns of a batch of which something is.
template <class T>
[[noreturn]] PREFOPT_COLD void fail_for_columns(pair_traits const& traits, pair_batch<T> const& batch,
                                                pair_outputs<T> const& results, unsigned reads) {
  std::size_t const n = batch.chosen.size();
  for (std::size_t c = 0; c < input_count; ++c) {
    std::size_t const size = (batch.*input_columns<T>[c]).size();
    if (size == 0 && (traits.needs_bits >> c & 1U) != 0 && n != 0) {
      fail_evaluate(traits.name() + " needs the column " + input_names[c] + ", which is not given");
    }
    if (size != 0 && (reads >> c & 1U) == 0) {
      fail_evaluate(traits.name() + " does not read the column " + input_names[c] + ", which is given");
    }
    if (size != 0 && size != n) fail_size(input_names[c], size, n);
  }
  for (std::size_t c = 0; c < output_count; ++c) {
    std::size_t const size = (results.*output_columns<T>[c]).size();
    if (size == 0) continue;
    if (c == posterior_out && !traits.has_posterior) {
      fail_evaluate(traits.name() + " does not write the output posterior, which is given");
    }
    if (size != n) fail_size(std::string{"output "} + output_names[c], size, n);
  }
  for (std::size_t const c : {ref_chosen, chosen_length}) {
    bool const first = !(batch.*input_columns<T>[c]).empty(), second = !(batch.*input_columns<T>[c + 1]).empty();
    if (first != second) {
      fail_evaluate(std::string{input_names[first ? c : c + 1]} + " is given, but " + input_names[first ? c + 1 : c] +
                    " is not");
    }
  }
  fail_evaluate("the batch changed during the call");
}

/// Which columns a batch must and may have. `lengths_mark_empty`: lengths are given to find empty completions although
/// the loss does not read them.
template <class T>
void check_columns(pair_traits const& traits, pair_batch<T> const& batch, pair_outputs<T> const& results,
                   bool lengths_mark_empty) {
  std::size_t const n = batch.chosen.size();
  unsigned given = 0;
  bool sizes_differ = false;
  for (std::size_t c = 0; c < input_count; ++c) {
    std::size_t const size = (batch.*input_columns<T>[c]).size();
    given |= static_cast<unsigned>(size != 0) << c;
    sizes_differ |= size != 0 && size != n;
  }
  for (std::size_t c = 0; c < output_count; ++c) {
    std::size_t const size = (results.*output_columns<T>[c]).size();
    sizes_differ |= size != 0 && (size != n || (c == posterior_out && !traits.has_posterior));
  }
  unsigned const reads = traits.reads_bits | (lengths_mark_empty ? input_bits(columns::length) : 0U);
  // Columns that come in twos: one alone would be a loss that nobody wrote.
  bool const halved = ((given ^ given >> 1) & (1U << ref_chosen | 1U << chosen_length)) != 0;
  bool const missing = n != 0 && (traits.needs_bits & ~given) != 0;
  if (sizes_differ || halved || missing || (given & ~reads) != 0) fail_for_columns(traits, batch, results, reads);
}

inline void check_options(options const& options) {
  if (!options.denominator) return;
  if (options.reduction != reduction::mean) fail_evaluate("denominator is given, but only reduction::mean divides");
  if (!(*options.denominator > 0) || !std::isfinite(*options.denominator)) {
    fail_evaluate("denominator is " + text(*options.denominator) + ", expected a finite number > 0");
  }
}

template <class T>
[[noreturn]] PREFOPT_COLD void fail_for_range(pair_batch<T> const& batch, std::size_t pair, bool skip_non_finite) {
  for (std::size_t c = 0; c < input_count; ++c) {
    auto const& column = batch.*input_columns<T>[c];
    if (column.empty() || !has_range(c)) continue;
    T const got = column[pair];
    if (c == weight && skip_non_finite && !std::isfinite(got)) continue;
    if (got < 0 || got > highest<T>(c) || (c == weight && std::isnan(got))) {
      fail_evaluate(std::string{input_names[c]} + "[" + text(pair) + "] is " + text(static_cast<double>(got)) +
                    (highest<T>(c) == 1 ? ", expected a number in [0, 1]"
                     : c == weight      ? ", expected a finite number >= 0"
                                        : ", expected a number >= 0"));
    }
  }
  fail_evaluate("a column changed during the call");
}

template <class T>
[[noreturn]] PREFOPT_COLD void fail_for_non_finite(pair_batch<T> const& batch, std::size_t pair) {
  for (std::size_t c = 0; c < input_count; ++c) {
    auto const& column = batch.*input_columns<T>[c];
    if (column.empty() || std::isfinite(column[pair])) continue;
    fail_evaluate(std::string{input_names[c]} + "[" + text(pair) + "] is " + text(static_cast<double>(column[pair])) +
                  ", expected a finite number");
  }
  fail_evaluate("a column changed during the call");
}

/// The engine for pairs: checks, then one pass.
template <class T, class Arch>
report evaluate_pairs(pair_traits const& traits, pair_kernel<T> kernel, void const* loss, double reward_scale,
                      pair_batch<T> const& batch, pair_outputs<T> const& results, options const& options,
                      bool lengths_mark_empty = false) {
  check_arithmetic<T>("evaluate", batch.chosen.size());
  check_options(options);
  check_columns(traits, batch, results, lengths_mark_empty);

  std::size_t const n = batch.chosen.size();
  bool const skip_non_finite = options.non_finite == on_invalid::skip, skip_empty = options.empty == on_invalid::skip;
  bool const needs_finite = options.non_finite != on_invalid::propagate;
  bool const has_empty = !batch.chosen_length.empty();
  double total_weight = static_cast<double>(n);
  if (needs_finite || has_empty || !batch.weight.empty() || !batch.label.empty() || !batch.reliability.empty()) {
    // Only the columns that decide anything are read twice.
    pair_batch<T> judged = batch;
    if (!needs_finite) judged.rejected = judged.ref_chosen = judged.ref_rejected = judged.margin = {};
    auto const seen = for_each_block<T, inspection>(
        judged, {}, false, options.executor, [&](pair_block<T>& block, std::size_t begin, inspection& sums) noexcept {
          inspect<T, Arch>(block, begin, needs_finite, has_empty, skip_non_finite, skip_empty, sums);
        });
    if (seen.out_of_range != inspection::no_pair) fail_for_range(batch, seen.out_of_range, skip_non_finite);
    if (options.non_finite == on_invalid::error && seen.non_finite != inspection::no_pair) {
      fail_for_non_finite(batch, seen.non_finite);
    }
    if (options.empty == on_invalid::error && seen.empty != inspection::no_pair) {
      fail_evaluate("pair " + text(seen.empty) + " has a completion of length 0, which options.empty calls an error");
    }
    total_weight = seen.weight;
  }

  auto const run = [&](pair_outputs<T> const& into, double scale) {
    pair_settings<T> const settings{.gradient_scale = static_cast<T>(scale),
                                    .reward_scale = static_cast<T>(reward_scale),
                                    .accumulate = options.gradient == gradient_write::accumulate,
                                    .skip_non_finite = skip_non_finite,
                                    .skip_empty = skip_empty,
                                    .has_empty = has_empty};
    return for_each_block<T, pair_sums>(
        batch, into, settings.accumulate, options.executor,
        [&](pair_block<T>& block, std::size_t, pair_sums& part) noexcept { kernel(loss, settings, block, part); });
  };
  double pairs = static_cast<double>(n);
  pair_sums const sums = sum_over_ranks(options, pairs, total_weight, results, run);

  double const counted = sums.counted == 0 ? 1 : sums.counted;
  return {.loss = options.reduction == reduction::sum ? sums.loss : sums.loss / divisor_of(options, total_weight),
          .accuracy = sums.wins / counted,
          .margin = reward_scale * (sums.margin / counted),
          .chosen_reward = reward_scale * (sums.chosen / counted),
          .rejected_reward = reward_scale * (sums.rejected / counted),
          .weight = sums.weight,
          .count = static_cast<std::size_t>(sums.counted),
          .skipped = static_cast<std::size_t>(pairs - sums.counted),
          .non_finite = static_cast<std::size_t>(sums.non_finite),
          .empty = static_cast<std::size_t>(sums.empty)};
}

template <class L>
inline constexpr bool writes_posterior = requires(L const loss, pair_row<float> const row, float const a) {
  apply(loss, row, a, a).posterior;
};

template <class L>
inline constexpr pair_traits traits_of{&name_of<L>,
                                       needs_of<resolved<L>>(),
                                       takes_of<resolved<L>>(),
                                       writes_posterior<resolved<L>>,
                                       input_bits(needs_of<resolved<L>>()),
                                       input_bits(needs_of<resolved<L>>() | takes_of<resolved<L>>()) | 1U << weight};

}  // namespace prefopt::inline PREFOPT_ABI::detail
