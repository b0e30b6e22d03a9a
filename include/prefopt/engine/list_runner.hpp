#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <prefopt/batch/groups.hpp>
#include <prefopt/engine/list_kernel.hpp>
#include <prefopt/engine/list_order.hpp>
#include <prefopt/engine/list_parts.hpp>
#include <prefopt/simd/transpose.hpp>
#include <utility>

namespace prefopt::inline PREFOPT_ABI::detail {

/// Working memory for the groups of a part that are too large for the stack.
template <class T>
struct large_group_room {
  std::size_t values = 0, places = 0;

  static constexpr std::size_t padding = 64;

  void fit(std::size_t group_size) noexcept {
    if (group_size <= largest_lane_group) return;
    values = std::max(values, tile_columns * (group_size + padding));
    places = std::max(places, group_size);
  }
};

/// Runs the groups of one part.
template <class T, class Arch>
class group_runner {
  using f = list_family;
  using V = xsimd::batch<T, Arch>;
  static constexpr std::size_t lanes = V::size;

 public:
  explicit group_runner(list_work<T> const& work) noexcept
      : work_{work}, d_logp_{work.out[f::d_logp]}, loss_{work.out[f::loss]}, offsets_{work.offsets} {
    for (std::size_t c = 0; c < f::input_count; ++c) in_[c] = column<T>{work.in[c]};
  }

  void run(std::size_t begin, std::size_t end, PREFOPT_KERNELS::sums& totals) noexcept {
    for_each_window(offsets_, begin, end,
                    [&](std::size_t first, std::size_t count, std::int64_t const* offsets) noexcept {
                      run_window(first, count, offsets, totals);
                    });
  }

 private:
  void run_window(std::size_t first, std::size_t count, std::int64_t const* offsets,
                  PREFOPT_KERNELS::sums& totals) noexcept {
    T loss_buffer[window_groups];
    T* const losses = loss_.block(first, count, loss_buffer, false);
    auto const size_of = [&](std::size_t i) { return static_cast<std::size_t>(offsets[i + 1] - offsets[i]); };

    // The groups of each size, in order.
    std::uint16_t in_size_order[window_groups];
    std::size_t ends[largest_lane_group + 2];
    bool const same_size = sort_by_size(offsets, count, in_size_order, ends);

    alignas(64) T lane_sums[sum_count * lanes] = {};
    std::size_t at = 0;
    for (std::size_t size = 0; size < std::size(ends); ++size) {
      for (std::size_t next = at; at < ends[size]; at = next) {
        next = std::min(ends[size], at + (size > largest_lane_group ? 1 : lanes));
        std::size_t groups[lanes], begins[lanes];
        std::size_t const live = next - at;
        // Lanes without a group repeat the last one.
        for (std::size_t lane = 0; lane < lanes; ++lane) {
          std::size_t const rank = at + std::min(lane, live - 1), i = same_size ? rank : in_size_order[rank];
          groups[lane] = i;
          begins[lane] = static_cast<std::size_t>(offsets[i]);
        }
        if (size == 0) {
          run_empty(first, groups, live, losses, totals);
        } else if (size <= largest_lane_group) {
          run_lanes(first, groups, begins, live, size, losses, lane_sums, totals);
        } else {
          run_large(first + groups[0], begins[0], size_of(groups[0]), losses == nullptr ? nullptr : losses + groups[0],
                    totals);
        }
      }
    }
    for (std::size_t which = 0; which < sum_count; ++which) {
      totals[which] += static_cast<double>(sum_of_lanes(V::load_aligned(lane_sums + which * lanes)));
    }
    loss_.commit(first, count, loss_buffer);
  }

  /// Where in `order` the groups of each size end; larger ones than lanes take come last. True if all have the same
  /// size: they are in order as they are.
  static bool sort_by_size(std::int64_t const* offsets, std::size_t count, std::uint16_t* order,
                           std::size_t (&ends)[largest_lane_group + 2]) noexcept {
    auto const kind_of = [&](std::size_t i) {
      return std::min(static_cast<std::size_t>(offsets[i + 1] - offsets[i]), largest_lane_group + 1);
    };
    bool same = true;
    for (std::size_t i = 0; i < count; ++i) same &= offsets[i + 1] - offsets[i] == offsets[1] - offsets[0];
    if (same) {
      std::fill(ends, ends + kind_of(0), 0);
      std::fill(ends + kind_of(0), std::end(ends), count);
      return true;
    }
    std::fill(ends, std::end(ends), 0);
    for (std::size_t i = 0; i < count; ++i) ++ends[kind_of(i)];
    std::size_t sum = 0;
    for (std::size_t& at : ends) sum += std::exchange(at, sum);
    for (std::size_t i = 0; i < count; ++i) order[ends[kind_of(i)]++] = static_cast<std::uint16_t>(i);
    return false;
  }

  void run_empty(std::size_t first, std::size_t const* groups, std::size_t live, T* losses,
                 PREFOPT_KERNELS::sums& totals) const noexcept {
    for (std::size_t lane = 0; lane < live; ++lane) {
      if (losses != nullptr) losses[groups[lane]] = T(0);
      T const weight = weight_of(in_[f::weight], offsets_.size() - 1, first + groups[lane], 0, 0);
      bool const bad = !(weight - weight == 0);
      totals[empty_sum] += 1;
      totals[non_finite_sum] += bad ? 1 : 0;
      if (work_.settings.skip_empty || (work_.settings.skip_non_finite && bad)) continue;
      totals[counted_sum] += 1;
    }
  }

  [[nodiscard]] bool sorts() const noexcept { return work_.is_ranked && !in_[f::reward].empty(); }

  /// The columns of a tile, one behind the other, `stride` values each.
  list_tile<T> lay_out(T* memory, std::size_t stride) const noexcept {
    list_tile<T> tile{};
    auto const next = [&]() noexcept { return std::exchange(memory, memory + stride); };
    tile.log_prob = next();
    tile.given_score = next();
    tile.slope = next();
    auto& ranked = tile.ranked;
    ranked.gradient = next();
    ranked.reward = next();
    for (T*& slot : ranked.slots) slot = next();
    if (sorts()) ranked.score = next();
    if (!in_[f::ref_logp].empty()) tile.reference = next();
    if (!in_[f::length].empty()) tile.length = next();
    if (!in_[f::target].empty()) ranked.target = next();
    tile.evidence = in_[f::reward].empty() && ranked.target != nullptr ? ranked.target : ranked.reward;
    tile.best_first = work_.is_ranked || (in_[f::reward].empty() && ranked.target == nullptr);
    return tile;
  }

  /// pack(source, into) for every column that is given but the rewards; a target goes the way that the rewards went.
  template <class Pack>
  void pack_columns(list_tile<T>& tile, Pack const& pack) const noexcept {
    pack(in_[f::logp], tile.log_prob);
    if (tile.reference != nullptr) pack(in_[f::ref_logp], tile.reference);
    if (tile.length != nullptr) pack(in_[f::length], tile.length);
    if (T* const target = tile.ranked.target; target != nullptr) {
      T* const given = tile.origins == nullptr ? target : tile.slope;
      pack(in_[f::target], given);
      for (std::size_t i = 0; tile.origins != nullptr && i < tile.values; ++i) target[i] = given[tile.origins[i]];
    }
  }

  void run_lanes(std::size_t first, std::size_t const* groups, std::size_t const* begins, std::size_t live,
                 std::size_t size, T* losses, T* lane_sums, PREFOPT_KERNELS::sums& totals) const noexcept {
    alignas(64) T memory[tile_columns * largest_lane_group * lanes];
    alignas(64) tile_index<T> origins[largest_lane_group * lanes];
    alignas(64) T weight[lanes], poisons[lanes], counted[lanes], loss[lanes];
    list_tile<T> tile = lay_out(memory, size * lanes);
    tile.size = size;
    tile.values = size * lanes;
    T* const reward = tile.ranked.reward;
    auto const pack = [&](column<T> const& source, T* into) noexcept {
      if (T const* const values = source.in_place()) {
        std::array<T const*, lanes> rows;
        for (std::size_t lane = 0; lane < lanes; ++lane) rows[lane] = values + begins[lane];
        rows_to_lanes(rows, size, into);
      } else {
        T buffer[largest_lane_group];
        for (std::size_t lane = 0; lane < lanes; ++lane) {
          T const* const from = source.block(begins[lane], size, buffer);
          for (std::size_t k = 0; k < size; ++k) into[k * lanes + lane] = from[k];
        }
      }
    };
    if (in_[f::reward].empty()) {
      for (std::size_t k = 0; k < size; ++k) V(-static_cast<T>(k)).store_aligned(reward + k * lanes);
    } else {
      pack(in_[f::reward], reward);
      if (sorts()) {
        if (order_lanes<T, Arch>(reward, size, origins, tile.ranked.slots[0])) tile.origins = origins;
        auto tied = V(T(0)) > V(T(0));
        for (std::size_t k = 0; k + 1 < size; ++k) {
          tied = tied | (V::load_aligned(reward + k * lanes) == V::load_aligned(reward + (k + 1) * lanes));
        }
        tile.has_ties = xsimd::any(tied);
      }
    }
    pack_columns(tile, pack);
    if (in_[f::weight].empty()) {
      V(T(1)).store_aligned(weight);
    } else {
      for (std::size_t lane = 0; lane < lanes; ++lane) {
        weight[lane] = weight_of(in_[f::weight], offsets_.size() - 1, first + groups[lane], begins[lane], size);
      }
    }

    V const zero(T(0)), one(T(1));
    V probe = V::load_aligned(weight) * zero;
    auto nothing = zero > zero;
    for (T const* values : {tile.log_prob, reward, tile.reference, tile.length, tile.ranked.target}) {
      for (std::size_t i = 0; values != nullptr && i < tile.values; i += lanes) {
        probe = fused(V::load_aligned(values + i), zero, probe);
      }
    }
    for (std::size_t i = 0; tile.length != nullptr && i < tile.values; i += lanes) {
      nothing = nothing | (V::load_aligned(tile.length + i) == zero);
    }
    auto const in_use = lane_numbers<T, Arch>() < V(static_cast<T>(live));
    auto const bad = !(probe == zero);
    auto counts = in_use;
    if (work_.settings.skip_non_finite) counts = counts & !bad;
    if (work_.settings.skip_empty) counts = counts & !nothing;
    xsimd::select(counts, one, zero).store_aligned(counted);
    V poison = zero;
    if (xsimd::any(bad)) [[unlikely]] {
      for (T const* values : {tile.log_prob, reward, tile.reference, tile.length, tile.ranked.target}) {
        for (std::size_t i = 0; values != nullptr && i < tile.values; i += lanes) {
          V const x = V::load_aligned(values + i);
          poison = xsimd::select(x == x, poison, x);
        }
      }
      // NaN has no place in an order.
      tile.has_ties = true;
      totals[non_finite_sum] += static_cast<double>(sum_of_lanes(V(xsimd::select(in_use & bad, one, zero))));
    }
    poison.store_aligned(poisons);
    if (xsimd::any(nothing)) {
      totals[empty_sum] += static_cast<double>(sum_of_lanes(V(xsimd::select(in_use & nothing, one, zero))));
    }

    tile.weight = weight;
    tile.poison = poisons;
    tile.counted = counted;
    tile.loss = loss;
    work_.kernel(work_.loss, work_.settings, tile, lane_sums, totals);

    for (std::size_t lane = 0; losses != nullptr && lane < live; ++lane) losses[groups[lane]] = loss[lane];
    if (d_logp_.empty()) return;
    T const* const gradient = tile.ranked.gradient;
    T* const target = d_logp_.in_place();
    if (target != nullptr && !work_.settings.accumulate) {
      std::array<T*, lanes> rows;
      for (std::size_t lane = 0; lane < lanes; ++lane) rows[lane] = target + begins[lane];
      lanes_to_rows(gradient, size, live, rows);
      return;
    }
    T buffer[largest_lane_group];
    for (std::size_t lane = 0; lane < live; ++lane) {
      T* const to = d_logp_.block(begins[lane], size, buffer, work_.settings.accumulate);
      for (std::size_t k = 0; k < size; ++k) {
        T const x = gradient[k * lanes + lane];
        to[k] = work_.settings.accumulate ? to[k] + x : x;
      }
      d_logp_.commit(begins[lane], size, buffer);
    }
  }

  void run_large(std::size_t group, std::size_t begin, std::size_t size, T* loss,
                 PREFOPT_KERNELS::sums& totals) const noexcept {
    constexpr std::size_t padding = large_group_room<T>::padding;
    list_tile<T> tile = lay_out(work_.room, size + padding);
    tile.size = tile.values = size;
    tile.is_spread = true;
    T* const reward = tile.ranked.reward;
    auto const pack = [&](column<T> const& source, T* into) noexcept {
      T const* const from = source.block(begin, size, into);
      if (from != into) std::copy_n(from, size, into);
      // Lanes behind the last candidate compute with a copy of it.
      std::fill(into + size, into + size + padding, into[size - 1]);
    };
    if (in_[f::reward].empty()) {
      for (std::size_t k = 0; k < size + padding; ++k) reward[k] = -static_cast<T>(k);
    } else if (sorts()) {
      T* const given = tile.slope;
      pack(in_[f::reward], given);
      order_by(given, size, work_.order);
      for (std::size_t k = 0; k < size; ++k) reward[k] = given[work_.order[k]];
      std::fill(reward + size, reward + size + padding, reward[size - 1]);
      tile.origins = work_.order;
    } else {
      pack(in_[f::reward], reward);
    }
    pack_columns(tile, pack);

    T const weight = weight_of(in_[f::weight], offsets_.size() - 1, group, begin, size);
    bool bad = !(weight - weight == 0), nothing = false;
    T poison = 0;
    for (T const* values : {tile.log_prob, reward, tile.reference, tile.length, tile.ranked.target}) {
      for (std::size_t k = 0; values != nullptr && k < size; ++k) {
        bad |= !(values[k] - values[k] == 0);
        poison = values[k] == values[k] ? poison : values[k];
      }
    }
    for (std::size_t k = 0; tile.length != nullptr && k < size; ++k) nothing |= tile.length[k] == 0;
    T counted = (work_.settings.skip_non_finite && bad) || (work_.settings.skip_empty && nothing) ? T(0) : T(1), value;
    if (bad) totals[non_finite_sum] += 1;
    if (nothing) totals[empty_sum] += 1;

    tile.weight = &weight;
    tile.poison = &poison;
    tile.counted = &counted;
    tile.loss = &value;
    work_.kernel(work_.loss, work_.settings, tile, nullptr, totals);
    if (loss != nullptr) *loss = value;
    if (!d_logp_.empty()) {
      T* const target = d_logp_.block(begin, size, tile.slope, work_.settings.accumulate);
      for (std::size_t k = 0; k < size; ++k) {
        target[k] = work_.settings.accumulate ? target[k] + tile.ranked.gradient[k] : tile.ranked.gradient[k];
      }
      d_logp_.commit(begin, size, tile.slope);
    }
    if (counted != 0 && !work_.is_square) {
      T const* const score = tile.origins == nullptr ? tile.given_score : tile.ranked.score;
      auto const pairs = count_ranked_pairs(tile.evidence, score, size, work_.order, tile.ranked.slots[0]);
      totals[ordered_sum] += pairs[0];
      totals[right_sum] += pairs[1];
    }
  }

  list_work<T> const& work_;
  std::array<column<T>, f::input_count> in_;
  output<T> d_logp_, loss_;
  column<std::int64_t> offsets_;
};

template <class T, class Arch>
PREFOPT_NOINLINE void run_groups(list_work<T> const& work, std::size_t begin, std::size_t end,
                                 PREFOPT_KERNELS::sums& totals) noexcept {
  group_runner<T, Arch>{work}.run(begin, end, totals);
}

}  // namespace prefopt::inline PREFOPT_ABI::detail
