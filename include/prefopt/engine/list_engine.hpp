#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <prefopt/engine/list_inspection.hpp>
#include <prefopt/engine/list_runner.hpp>
#include <prefopt/engine/pair_engine.hpp>
#include <prefopt/batch/report.hpp>
#include <utility>
#include <vector>

namespace prefopt::inline PREFOPT_ABI::detail {

/// The engine for groups: checks, then one pass.
template <class T, class Arch>
report evaluate_lists(list_facts const& facts, list_kernel<T> kernel, void const* loss, list_batch<T> const& batch,
                      list_outputs<T> const& results, options const& options) {
  check_arithmetic<T>("evaluate", batch.logp.size());
  check_options(options);
  check_list_columns(facts, batch, results);

  std::size_t const groups = batch.offsets.size() - 1;
  list_parts<T> const split{batch};
  std::array<large_group_room<T>, most_parts> rooms{};
  std::size_t empty_groups = 0, first_empty = list_inspection::none;
  for (std::size_t part = 0; part < split.count(); ++part) {
    for_each_window(batch.offsets, split.begin(part), split.begin(part + 1),
                    [&](std::size_t first, std::size_t count, std::int64_t const* offsets) noexcept {
                      for (std::size_t i = 0; i < count; ++i) {
                        rooms[part].fit(static_cast<std::size_t>(offsets[i + 1] - offsets[i]));
                        if (offsets[i] != offsets[i + 1]) continue;
                        ++empty_groups;
                        first_empty = std::min(first_empty, first + i);
                      }
                    });
  }
  std::vector<T> values;
  std::vector<tile_index<T>> places;
  std::array<std::size_t, most_parts> values_at{}, places_at{};
  std::size_t values_size = 0, places_size = 0;
  for (std::size_t part = 0; part < split.count(); ++part) {
    values_at[part] = std::exchange(values_size, values_size + rooms[part].values);
    places_at[part] = std::exchange(places_size, places_size + rooms[part].places);
  }
  values.resize(values_size);
  places.resize(places_size);

  bool const skips_empty = options.empty == on_invalid::skip;
  double total_weight = static_cast<double>(groups - (skips_empty ? empty_groups : 0));
  list_inspection seen{.empty = first_empty};
  if (list_inspector<T> const inspector{facts, batch, options}; inspector.reads_values()) {
    std::array<list_inspection, most_parts> of_part{};
    auto const inspect_part = [&](std::size_t part) noexcept {
      for_each_window(
          batch.offsets, split.begin(part), split.begin(part + 1),
          [&](std::size_t first, std::size_t count, std::int64_t const* offsets) noexcept {
            bool const has_empty = std::adjacent_find(offsets, offsets + count + 1) != offsets + count + 1;
            if (!has_empty && !inspector.looks_at_groups() &&
                inspector.is_clean(static_cast<std::size_t>(offsets[0]), static_cast<std::size_t>(offsets[count]))) {
              of_part[part].weight += static_cast<double>(count);
              return;
            }
            for (std::size_t i = 0; i < count; ++i) {
              inspector.look_at(first + i, static_cast<std::size_t>(offsets[i]),
                                static_cast<std::size_t>(offsets[i + 1] - offsets[i]), of_part[part],
                                places.data() + places_at[part]);
            }
          });
    };
    options.executor(split.count(), executor::task{inspect_part});
    for (std::size_t part = 0; part < split.count(); ++part) seen += of_part[part];
    total_weight = seen.weight;
  }
  if (seen.out_of_range != list_inspection::none) {
    fail_for_list_range(facts, batch, seen.out_of_range, options.non_finite == on_invalid::skip);
  }
  if (options.non_finite == on_invalid::error && seen.non_finite != list_inspection::none) {
    fail_for_list_non_finite(batch, seen.non_finite);
  }
  if (options.empty == on_invalid::error && seen.empty != list_inspection::none) {
    bool const no_candidate = batch.offsets[seen.empty] == batch.offsets[seen.empty + 1];
    fail_evaluate("group " + text(seen.empty) + (no_candidate ? " has no candidate" : " has a candidate of length 0") +
                  ", which options.empty calls an error");
  }
  if (seen.tied != list_inspection::none) fail_for_tie(facts, batch, seen.tied);

  auto const run = [&](list_outputs<T> const& into, double scale) {
    list_settings<T> const settings{.gradient_scale = static_cast<T>(scale),
                                    .reward_scale = static_cast<T>(facts.reward_scale)};
    std::array<list_sums, most_parts> of_part{};
    auto const run_part = [&](std::size_t part) noexcept {
      list_runner<T, Arch>{facts,
                           kernel,
                           loss,
                           settings,
                           batch,
                           into,
                           options,
                           values.data() + values_at[part],
                           places.data() + places_at[part]}
          .run(split.begin(part), split.begin(part + 1), of_part[part]);
    };
    options.executor(split.count(), executor::task{run_part});
    list_sums sums{};
    for (std::size_t part = 0; part < split.count(); ++part) {
      for (std::size_t i = 0; i < list_sum_count; ++i) sums[i] += of_part[part][i];
    }
    return sums;
  };
  double of_all = static_cast<double>(groups);
  list_sums const sums = sum_over_ranks(options, of_all, total_weight, results, run);

  double const counted = sums[counted_sum] == 0 ? 1 : sums[counted_sum];
  double const scale = facts.reward_scale;
  return {
      .loss = options.reduction == reduction::sum ? sums[loss_sum] : sums[loss_sum] / divisor_of(options, total_weight),
      .accuracy = sums[ordered_sum] == 0 ? 0 : sums[right_sum] / sums[ordered_sum],
      .margin = scale * ((sums[best_sum] - sums[others_sum]) / counted),
      .chosen_reward = scale * (sums[best_sum] / counted),
      .rejected_reward = scale * (sums[others_sum] / counted),
      .best_probability = sums[probability_sum] / counted,
      .weight = total_weight,
      .count = static_cast<std::size_t>(sums[counted_sum]),
      .skipped = static_cast<std::size_t>(of_all - sums[counted_sum]),
      .non_finite = static_cast<std::size_t>(sums[non_finite_sum]),
      .empty = static_cast<std::size_t>(sums[empty_sum])};
}

}  // namespace prefopt::inline PREFOPT_ABI::detail
