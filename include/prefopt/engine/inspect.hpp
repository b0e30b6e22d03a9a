#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>
#include <limits>
#include <prefopt/batch/options.hpp>
#include <prefopt/contract/loss_facts.hpp>
#include <prefopt/engine/block.hpp>

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

/// Whether no value of a column breaks what is said of it, of NaNs apart.
template <class T, class Arch>
PREFOPT_INLINE bool is_within(inspection_settings<T> const& settings, std::size_t column, T const* values,
                              std::size_t count) noexcept {
  using V = xsimd::batch<T, Arch>;
  auto const has = [&](unsigned bits) { return (bits >> column & 1U) != 0; };
  bool const is_ruled = has(settings.ruled);
  V const lowest(has(settings.non_negative) ? T(0) : -std::numeric_limits<T>::infinity()),
      highest(settings.highest[column]);
  auto outside = lowest > lowest;
  block<T> one{};
  one.count = count;
  one.in[0] = values;
  for_each_lanes<V, 1, 0>(one, [&](auto const& in, auto const&, std::size_t offset, auto const&) PREFOPT_INLINE_LAMBDA {
    V const x = load_ahead<V>(in[0] + offset);
    outside = outside | (x < lowest) | (x > highest);
    if (is_ruled) outside = outside | breaks(static_cast<allowed_values>(settings.rule), x);
  });
  return !xsimd::any(outside);
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
  bool only_ranges = !settings.needs_finite;
  for (std::size_t c = 0; c < settings.inputs; ++c) {
    unsigned const decisive =
        settings.non_negative | settings.bounded | settings.ruled | (settings.has_empty ? settings.lengths : 0U);
    bool const decides = settings.needs_finite || c == settings.weight || has(decisive, c);
    if (block.in[c] == nullptr || !decides) continue;
    looked_at[count++] = c;
    only_ranges &= c != settings.weight && !(settings.has_empty && has(settings.lengths, c));
  }
  // A column at a time; which values are out of their ranges, is asked only if some are.
  if (only_ranges && std::all_of(looked_at.begin(), looked_at.begin() + count, [&](std::size_t c) {
        return is_within<T, Arch>(settings, c, block.in[c], block.count);
      })) {
    seen.weight += static_cast<double>(block.count);
    return;
  }
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

/// Whether the loss has a rule for what is in the column.
template <class Family, class T>
constexpr bool is_ruled(loss_facts const& facts, std::size_t column) noexcept {
  auto const& row = Family::template inputs<T>[column];
  bool const is_meant = facts.rule.kind == columns::none ? row.when == presence::always : row.kind == facts.rule.kind;
  return is_meant && facts.rule.values != allowed_values::all;
}

/// What is looked for in a family's batches, in the columns whose bits are set.
template <class Family, class T>
inspection_settings<T> inspection_settings_for(loss_facts const& facts, options const& options,
                                               unsigned judged = ~0U) noexcept {
  inspection_settings<T> settings{};
  settings.inputs = Family::input_count;
  settings.weight = most_inputs;
  settings.rule = static_cast<unsigned char>(facts.rule.values);
  settings.needs_finite = options.non_finite != on_invalid::propagate;
  settings.skip_non_finite = options.non_finite == on_invalid::skip;
  settings.skip_empty = options.empty == on_invalid::skip;
  for (std::size_t c = 0; c < Family::input_count; ++c) {
    auto const& row = Family::template inputs<T>[c];
    unsigned const bit = 1U << c;
    if ((judged & bit) == 0) {
      settings.highest[c] = std::numeric_limits<T>::infinity();
      continue;
    }
    if (row.range != value_range::any) settings.non_negative |= bit;
    settings.highest[c] = highest_of<T>(row.kind, row.range, facts);
    if (settings.highest[c] < std::numeric_limits<T>::infinity()) settings.bounded |= bit;
    if (row.kind == columns::length) settings.lengths |= bit;
    if (row.range == value_range::weight) settings.weight = c;
    if (is_ruled<Family, T>(facts, c)) settings.ruled |= bit;
  }
  return settings;
}

}  // namespace prefopt::inline PREFOPT_ABI::detail
