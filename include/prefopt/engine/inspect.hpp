#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <iterator>
#include <limits>
#include <prefopt/batch/options.hpp>
#include <prefopt/contract/loss_facts.hpp>
#include <prefopt/engine/block.hpp>
#include <prefopt/simd/math.hpp>

// What has to be known of a batch's values before anything is written.

namespace prefopt::inline PREFOPT_ABI::detail {

/// Lowers `lowest` to the first marked lane of the batch of lanes that begins at example `at`.
template <class T, class Arch>
PREFOPT_COLD void note_first(xsimd::batch_bool<T, Arch> const& lanes, std::size_t at, std::size_t& lowest) noexcept {
  if (!xsimd::any(lanes)) return;
  bool marks[xsimd::batch<T, Arch>::size];
  lanes.store_unaligned(marks);
  lowest = std::min(lowest, at + static_cast<std::size_t>(std::find(marks, std::end(marks), true) - marks));
}

/// Lanes with a finite number that a rule does not allow; others are for options.non_finite to judge.
template <class T, class Arch>
PREFOPT_INLINE auto breaks(allowed_values rule, xsimd::batch<T, Arch> const& x) noexcept {
  using V = xsimd::batch<T, Arch>;
  V const zero(T(0)), one(T(1));
  switch (rule) {
    case allowed_values::positive:
      return (x <= zero) & (x >= V(std::numeric_limits<T>::lowest()));
    case allowed_values::inside:
      return (x == zero) | (x == one);
    case allowed_values::outcome:
      return (x == x) & !((x == zero) | (x == V(T(0.5))) | (x == one));
    case allowed_values::binary:
      return (x == x) & !((x == zero) | (x == one));
    case allowed_values::log_prob:
      return (x > zero) & (x <= V(std::numeric_limits<T>::max()));
    default:
      return zero > one;
  }
}

/// Whether there is nothing to be told of a column: no value that breaks what is said of it, no length of 0, no weight
/// that is NaN; other NaNs apart. Adds up weights.
template <class V, class T>
PREFOPT_INLINE bool is_unremarkable(inspection_settings<T> const& settings, std::size_t column, T const* values,
                                    std::size_t count, V& weights) noexcept {
  constexpr T infinity = std::numeric_limits<T>::infinity();
  auto const has = [&](unsigned bits) { return (bits >> column & 1U) != 0; };
  auto const for_each = [&](auto const& f) PREFOPT_INLINE_LAMBDA {
    block<T> one{};
    one.count = count;
    one.in[0] = values;
    for_each_lanes<V, 1, 0>(one, [&](auto const& in, auto const&, std::size_t offset, auto const& live)
                                     PREFOPT_INLINE_LAMBDA { f(load_ahead<V>(in[0] + offset), live); });
  };
  // A NaN leaves both as they are.
  V least(infinity), most(-infinity);
  for_each([&](V const& x, auto const&) PREFOPT_INLINE_LAMBDA {
    least = math::at_most(least, x);
    most = math::at_least(most, x);
  });
  V const zero(T(0)), lowest = has(settings.non_negative) ? zero : V(-infinity);
  auto told = (least < lowest) | (most > V(settings.highest[column]));
  if (settings.has_empty && has(settings.lengths)) told = told | (least == zero);
  if (has(settings.ruled)) {
    auto const rule = static_cast<allowed_values>(settings.rule);
    for_each([&](V const& x, auto const&) PREFOPT_INLINE_LAMBDA { told = told | breaks(rule, x); });
  }
  if (column == settings.weight) {
    for_each([&](V const& x, auto const& live) PREFOPT_INLINE_LAMBDA { weights += xsimd::select(live, x, zero); });
    told = told | !(weights == weights);
  }
  return !xsimd::any(told);
}

/// One for all losses and families.
template <class T, class Arch>
PREFOPT_NOINLINE void inspect(inspection_settings<T> const& settings, block<T>& block, std::size_t begin,
                              inspection& seen) noexcept {
  using V = xsimd::batch<T, Arch>;
  V const zero(T(0)), one(T(1));
  V weights = zero, counted = zero;
  auto const none = zero > zero;
  std::size_t at = begin;
  bool const weighted = settings.weight < most_inputs && block.in[settings.weight] != nullptr;
  auto const has = [](unsigned bits, std::size_t column) { return (bits >> column & 1U) != 0; };
  // Only what decides anything is loaded.
  std::array<std::size_t, most_inputs> looked_at;
  std::size_t count = 0;
  unsigned const of_range = settings.non_negative | settings.bounded | settings.ruled,
                 of_length = settings.has_empty ? settings.lengths : 0U;
  for (unsigned left = settings.needs_finite ? (1U << settings.inputs) - 1 : of_range | of_length; left != 0;
       left &= left - 1) {
    auto const c = static_cast<std::size_t>(std::countr_zero(left));
    if (block.in[c] == nullptr) continue;
    looked_at[count++] = c;
  }
  // A column at a time; which values are to be told of, is asked only if some are.
  if (!settings.needs_finite && std::all_of(looked_at.begin(), looked_at.begin() + count, [&](std::size_t c) {
        return is_unremarkable(settings, c, block.in[c], block.count, weights);
      })) {
    seen.weight += weighted ? static_cast<double>(sum_of_lanes(weights)) : static_cast<double>(block.count);
    return;
  }
  weights = zero;
  for_each_lanes<V, most_inputs, 0>(
      block, [&](auto const& in, auto const&, std::size_t offset, auto const& live) PREFOPT_INLINE_LAMBDA {
        auto outside = none, nothing = none;
        V probe = zero;
        for (std::size_t i = 0; i < count; ++i) {
          std::size_t const c = looked_at[i];
          V const x = load_ahead<V>(in[c] + offset);
          if (settings.needs_finite) probe = fused(x, zero, probe);
          if (settings.has_empty && has(settings.lengths, c)) nothing = nothing | (x == zero);
          if (c == settings.weight) {
            if (settings.skip_non_finite) {
              // An example to be skipped may have any weight that is not finite.
              outside = outside | ((x < zero) & (x >= V(std::numeric_limits<T>::lowest())));
            } else {
              // One weight enters the sum that every gradient is divided by: it has to be finite.
              outside = outside | (x < zero) | (x > V(settings.highest[c])) | !(x == x);
            }
            continue;
          }
          if (has(settings.ruled, c)) outside = outside | breaks(static_cast<allowed_values>(settings.rule), x);
          if (has(settings.non_negative, c)) outside = outside | (x < zero);
          if (has(settings.bounded, c)) outside = outside | (x > V(settings.highest[c]));
        }
        auto const bad = live & !(probe == zero);
        nothing = live & nothing;
        outside = live & outside;
        if (xsimd::any(outside | bad | nothing)) [[unlikely]] {
          note_first(outside, at, seen.out_of_range);
          note_first(bad, at, seen.non_finite);
          note_first(nothing, at, seen.empty);
        }
        auto counts = live;
        if (settings.skip_non_finite) counts = counts & !bad;
        if (settings.skip_empty) counts = counts & !nothing;
        counted += xsimd::select(counts, one, zero);
        if (weighted) weights += xsimd::select(counts, V::load_unaligned(in[settings.weight] + offset), zero);
        at += V::size;
      });
  seen.weight += static_cast<double>(sum_of_lanes(weighted ? weights : counted));
}

inline constexpr inspection nothing_seen{0, no_example, no_example, no_example, no_example};

inline void add_to(inspection& seen, inspection const& other) noexcept {
  seen.weight += other.weight;
  seen.out_of_range = std::min(seen.out_of_range, other.out_of_range);
  seen.non_finite = std::min(seen.non_finite, other.non_finite);
  seen.empty = std::min(seen.empty, other.empty);
  seen.tied = std::min(seen.tied, other.tied);
}

/// The highest value that a column may have, with this loss.
template <class T>
constexpr T highest_of(columns kind, value_range range, loss_facts const& facts) noexcept {
  return range == value_range::probability ? T(1)
         : range == value_range::weight    ? std::numeric_limits<T>::max()
         : kind == columns::reward         ? static_cast<T>(facts.highest_reward)
                                           : std::numeric_limits<T>::infinity();
}

/// The columns that the loss has a rule for.
template <class Family>
constexpr unsigned ruled_columns(loss_facts const& facts) noexcept {
  if (facts.rule.values == allowed_values::all) return 0;
  return columns_where<Family>([&](auto const& row) {
    return facts.rule.kind == columns::none ? row.when == presence::always : row.kind == facts.rule.kind;
  });
}

/// Columns whose values have a range in every batch of the family, and those of lengths.
template <class Family>
inline constexpr unsigned columns_with_range = columns_where<Family>([](auto const& row) {
  return row.range != value_range::any;
});
template <class Family>
inline constexpr unsigned length_columns = columns_where<Family>([](auto const& row) {
  return row.kind == columns::length;
});

/// What is looked for in a family's batches, in the columns whose bits are set.
template <class Family, class T>
inspection_settings<T> inspection_settings_for(loss_facts const& facts, options const& options,
                                               unsigned judged = ~0U) noexcept {
  inspection_settings<T> settings{};
  settings.inputs = Family::input_count;
  settings.non_negative = judged & columns_with_range<Family>;
  settings.lengths = judged & length_columns<Family>;
  settings.ruled = judged & ruled_columns<Family>(facts);
  settings.rule = static_cast<unsigned char>(facts.rule.values);
  settings.weight = (judged >> Family::weight & 1U) == 0 ? most_inputs : std::size_t{Family::weight};
  settings.needs_finite = options.non_finite != on_invalid::propagate;
  settings.skip_non_finite = options.non_finite == on_invalid::skip;
  settings.skip_empty = options.empty == on_invalid::skip;
  settings.highest.fill(std::numeric_limits<T>::infinity());
  for (unsigned left = judged & ((1U << Family::input_count) - 1); left != 0; left &= left - 1) {
    auto const c = static_cast<std::size_t>(std::countr_zero(left));
    auto const& row = Family::template inputs<T>[c];
    settings.highest[c] = highest_of<T>(row.kind, row.range, facts);
    settings.bounded |= unsigned{settings.highest[c] < std::numeric_limits<T>::infinity()} << c;
  }
  return settings;
}

}  // namespace prefopt::inline PREFOPT_ABI::detail
