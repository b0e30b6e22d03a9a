#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <prefopt/engine/check.hpp>
#include <prefopt/engine/inspect.hpp>
#include <prefopt/engine/list_order.hpp>
#include <prefopt/engine/list_parts.hpp>
#include <prefopt/engine/loss_ref.hpp>
#include <prefopt/view/offsets.hpp>
#include <utility>
#include <vector>

namespace prefopt::inline PREFOPT_ABI::detail {

/// Runs a loss over a batch of groups.
template <class T>
class list_engine {
  using f = list_family;

 public:
  using family = f;

  list_engine(loss_ref<f, T> const& loss, list_batch<T> const& batch, list_outputs<T> const& outputs,
              options const& options, bool)
      : loss_{loss}, batch_{batch}, options_{options}, split_{checked(loss.facts, batch, outputs), batch.logp.size()} {
    for (std::size_t part = 0; part < split_.count(); ++part) {
      large_group_room<T> room;
      for_each_window(batch.offsets, split_.begin(part), split_.begin(part + 1),
                      [&](std::size_t first, std::size_t count, std::int64_t const* offsets) noexcept {
                        for (std::size_t i = 0; i < count; ++i) {
                          room.fit(static_cast<std::size_t>(offsets[i + 1] - offsets[i]));
                          if (offsets[i] != offsets[i + 1]) continue;
                          ++empty_groups_;
                          first_empty_ = std::min(first_empty_, first + i);
                        }
                      });
      values_at_[part + 1] = values_at_[part] + room.values;
      places_at_[part + 1] = places_at_[part] + room.places;
    }
    values_.resize(values_at_[split_.count()]);
    places_.resize(places_at_[split_.count()]);
  }

  [[nodiscard]] std::size_t examples() const noexcept { return batch_.offsets.size() - 1; }

  /// Fails for what the options call an error; the sum of the counted weights.
  [[nodiscard]] double inspect() {
    auto const looked_for = inspection_settings_for<f, T>(loss_.facts, options_);
    inspection seen = nothing_seen;
    seen.empty = first_empty_;
    if (reads_values(looked_for)) {
      std::array<inspection, most_parts> of_part;
      auto const inspect_part = [&](std::size_t part) noexcept {
        of_part[part] = nothing_seen;
        for_each_window(batch_.offsets, split_.begin(part), split_.begin(part + 1),
                        [&](std::size_t first, std::size_t count, std::int64_t const* offsets) noexcept {
                          inspect_window(looked_for, first, count, offsets, of_part[part],
                                         places_.data() + places_at_[part]);
                        });
      };
      options_.executor(split_.count(), executor::task{inspect_part});
      for (std::size_t part = 0; part < split_.count(); ++part) add_to(seen, of_part[part]);
    } else {
      seen.weight = static_cast<double>(examples() - (looked_for.skip_empty ? empty_groups_ : 0));
    }
    if (seen.out_of_range != no_example) fail_for_range(looked_for, seen.out_of_range);
    if (options_.non_finite == on_invalid::error && seen.non_finite != no_example) {
      fail_for_non_finite<f, T>(batch_, begin(seen.non_finite), begin(seen.non_finite + 1));
    }
    if (options_.empty == on_invalid::error && seen.empty != no_example) {
      bool const no_candidate = begin(seen.empty) == begin(seen.empty + 1);
      fail_evaluate("group " + text(seen.empty) +
                    (no_candidate ? " has no candidate" : " has a candidate of length 0") +
                    ", which options.empty calls an error");
    }
    if (seen.tied != no_example) fail_for_tie(seen.tied);
    return seen.weight;
  }

  [[nodiscard]] sums run(void const* loss, list_outputs<T> const& outputs, double gradient_scale) {
    list_work<T> all{};
    all.kernel = loss_.kernels.run;
    all.loss = loss;
    all.settings = {.gradient_scale = static_cast<T>(gradient_scale),
                    .reward_scale = static_cast<T>(loss_.facts.reward_scale),
                    .accumulate = options_.gradient == gradient_write::accumulate,
                    .skip_non_finite = options_.non_finite == on_invalid::skip,
                    .skip_empty = options_.empty == on_invalid::skip,
                    .has_empty = false};
    all.is_ranked = loss_.facts.is_ranked;
    all.is_square = loss_.facts.is_square;
    all.offsets = batch_.offsets.memory();
    for (std::size_t c = 0; c < f::input_count; ++c) all.in[c] = (batch_.*f::inputs<T>[c].values).memory();
    for (std::size_t c = 0; c < f::output_count; ++c) all.out[c] = (outputs.*f::results<T>[c].values).memory();
    std::array<sums, most_parts> of_part{};
    auto const run_part = [&](std::size_t part) noexcept {
      auto work = all;
      work.room = values_.data() + values_at_[part];
      work.order = places_.data() + places_at_[part];
      loss_.kernels.run_groups(work, split_.begin(part), split_.begin(part + 1), of_part[part]);
    };
    options_.executor(split_.count(), executor::task{run_part});
    sums total{};
    for (std::size_t part = 0; part < split_.count(); ++part) {
      for (std::size_t i = 0; i < sum_count; ++i) total[i] += of_part[part][i];
    }
    return total;
  }

  /// What a report reads of the sums of all ranks, and groups have otherwise.
  static void complete(sums& all, double weight) noexcept {
    all[margin_sum] = all[chosen_sum] - all[rejected_sum];
    all[weight_sum] = weight;
  }

 private:
  static column<std::int64_t> const& checked(loss_facts const& facts, list_batch<T> const& batch,
                                             list_outputs<T> const& outputs) {
    std::size_t const n = batch.logp.size();
    check_columns<f, T>(facts, batch, outputs, batch.offsets.empty() ? 0 : batch.offsets.size() - 1, n, false);
    check_offsets("evaluate", batch.offsets, n, [&](std::size_t group, std::size_t size) {
      constexpr std::size_t most = std::size_t{1} << std::min(std::numeric_limits<T>::digits, 32);
      if (size > most) {
        fail_evaluate("group " + text(group) + " has " + text(size) + " candidates, expected at most " + text(most));
      }
      if (!facts.is_square) return;
      auto const side = static_cast<std::size_t>(std::lround(std::sqrt(static_cast<double>(size))));
      if (side * side == size) return;
      fail_evaluate("group " + text(group) + " has " + text(size) + " candidates, " + std::string{facts.name} +
                    " expects a square number");
    });
    return batch.offsets;
  }

  [[nodiscard]] std::size_t begin(std::size_t group) const noexcept {
    return static_cast<std::size_t>(batch_.offsets[group]);
  }

  [[nodiscard]] bool looks_for_ties() const noexcept { return loss_.facts.refuses_ties && !batch_.reward.empty(); }

  /// False where nothing but the offsets needs to be looked at.
  [[nodiscard]] bool reads_values(inspection_settings<T> const& looked_for) const noexcept {
    bool any = looked_for.needs_finite || looks_for_ties();
    for (std::size_t c = 0; c < f::input_count; ++c) {
      bool const has_range = ((looked_for.non_negative | looked_for.bounded) >> c & 1U) != 0;
      any |= has_range && !(batch_.*f::inputs<T>[c].values).empty();
    }
    return any;
  }

  /// Looks at the candidates [begin, end), weights apart.
  [[nodiscard]] inspection look_at(inspection_settings<T> looked_for, std::size_t begin,
                                   std::size_t end) const noexcept {
    looked_for.has_empty = true;
    inspection seen = nothing_seen;
    T buffer[f::input_count][block_examples];
    for (; begin < end; begin += block_examples) {
      block<T> block{};
      block.count = std::min(block_examples, end - begin);
      for (std::size_t c = 0; c < f::input_count; ++c) {
        if (c == f::weight) continue;
        block.in[c] = (batch_.*f::inputs<T>[c].values).block(begin, block.count, buffer[c]);
      }
      loss_.kernels.inspect(looked_for, block, begin, seen);
    }
    return seen;
  }

  void inspect_window(inspection_settings<T> const& looked_for, std::size_t first, std::size_t count,
                      std::int64_t const* offsets, inspection& seen, tile_index<T>* order) const noexcept {
    auto const place = [&](std::size_t i) { return static_cast<std::size_t>(offsets[i]); };
    // Groups of values that nobody can object to, looked at in one sweep, differ only in their weights and ties.
    inspection const all = look_at(looked_for, place(0), place(count));
    bool const is_clean = all.out_of_range == no_example && all.non_finite == no_example && all.empty == no_example;
    bool const has_empty = std::adjacent_find(offsets, offsets + count + 1) != offsets + count + 1;
    if (looks_for_ties()) look_for_ties(first, count, offsets, seen, order);
    if (is_clean && !has_empty && batch_.weight.empty()) {
      seen.weight += static_cast<double>(count);
      return;
    }
    for (std::size_t i = 0; i < count; ++i) {
      inspect_group(looked_for, first + i, place(i), place(i + 1), is_clean, seen);
    }
  }

  void look_for_ties(std::size_t first, std::size_t count, std::int64_t const* offsets, inspection& seen,
                     tile_index<T>* order) const noexcept {
    std::size_t tied = loss_.kernels.first_tie(batch_.reward.memory(), offsets, count);
    for (std::size_t i = 0; i < std::min(count, tied); ++i) {
      auto const size = static_cast<std::size_t>(offsets[i + 1] - offsets[i]);
      if (size > largest_lane_group && has_tie(static_cast<std::size_t>(offsets[i]), size, order)) tied = i;
    }
    if (tied != no_example) seen.tied = std::min(seen.tied, first + tied);
  }

  void inspect_group(inspection_settings<T> const& looked_for, std::size_t group, std::size_t begin, std::size_t end,
                     bool is_clean, inspection& seen) const noexcept {
    inspection const own = is_clean ? nothing_seen : look_at(looked_for, begin, end);
    bool outside = own.out_of_range != no_example, bad = own.non_finite != no_example;
    bool const nothing = begin == end || own.empty != no_example;
    T const weight = weight_of(batch_.weight, examples(), group, begin, end - begin);
    bool const weight_is_bad = !(weight - weight == 0);
    if (looked_for.skip_non_finite) bad |= weight_is_bad;
    outside |= weight_is_bad ? !looked_for.skip_non_finite : weight < 0;
    if (is_flat(batch_.weight, examples()) && !weight_is_bad) {
      for (std::size_t i = begin; i < end; ++i) outside |= batch_.weight[i] != weight;
    }
    if (outside) seen.out_of_range = std::min(seen.out_of_range, group);
    if (bad) seen.non_finite = std::min(seen.non_finite, group);
    if (nothing) seen.empty = std::min(seen.empty, group);
    if (!(looked_for.skip_non_finite && bad) && !(looked_for.skip_empty && nothing)) {
      seen.weight += static_cast<double>(weight);
    }
  }

  /// Of a group that is too large for a lane.
  [[nodiscard]] bool has_tie(std::size_t begin, std::size_t size, tile_index<T>* order) const noexcept {
    auto const at = [&](std::size_t i) { return batch_.reward[begin + i]; };
    for (std::size_t i = 0; i < size; ++i) order[i] = static_cast<tile_index<T>>(i);
    std::sort(order, order + size, [&](tile_index<T> a, tile_index<T> b) {
      return ranks_higher(at(static_cast<std::size_t>(a)), at(static_cast<std::size_t>(b)));
    });
    for (std::size_t i = 1; i < size; ++i) {
      if (at(static_cast<std::size_t>(order[i - 1])) == at(static_cast<std::size_t>(order[i]))) return true;
    }
    return false;
  }

  [[noreturn]] PREFOPT_COLD void fail_for_range(inspection_settings<T> const& looked_for, std::size_t group) const {
    find_out_of_range<f, T>(loss_.facts, batch_, looked_for, begin(group), begin(group + 1));
    auto const found = [](std::size_t index, T value, std::string const& expected) {
      fail_evaluate("weight[" + text(index) + "] is " + text(static_cast<double>(value)) + ", expected " + expected);
    };
    bool const flat = is_flat(batch_.weight, examples());
    T const weight = weight_of(batch_.weight, examples(), group, begin(group), begin(group + 1) - begin(group));
    if (std::isfinite(weight) ? weight < 0 : !looked_for.skip_non_finite) {
      found(flat ? begin(group) : group, weight, "a finite number >= 0");
    }
    for (std::size_t i = begin(group); flat && i < begin(group + 1); ++i) {
      if (batch_.weight[i] != weight) {
        found(i, batch_.weight[i],
              text(static_cast<double>(weight)) + " as at the first candidate of group " + text(group));
      }
    }
    fail_evaluate("a column changed during the call");
  }

  [[noreturn]] PREFOPT_COLD void fail_for_tie(std::size_t group) const {
    for (std::size_t i = begin(group); i < begin(group + 1); ++i) {
      for (std::size_t j = begin(group); j < i; ++j) {
        if (batch_.reward[i] != batch_.reward[j]) continue;
        fail_evaluate("reward[" + text(j) + "] and reward[" + text(i) + "] of group " + text(group) + " are both " +
                      text(static_cast<double>(batch_.reward[i])) + ", " + std::string{loss_.facts.name} +
                      " expects different ones unless break_ties is set");
      }
    }
    fail_evaluate("a column changed during the call");
  }

  loss_ref<f, T> const& loss_;
  list_batch<T> const& batch_;
  options const& options_;
  list_parts split_;
  std::size_t empty_groups_ = 0, first_empty_ = no_example;
  std::vector<T> values_;
  std::vector<tile_index<T>> places_;
  std::array<std::size_t, most_parts + 1> values_at_{}, places_at_{};
};

}  // namespace prefopt::inline PREFOPT_ABI::detail
