#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <prefopt/detail/list_kernel.hpp>
#include <prefopt/detail/list_offsets.hpp>
#include <prefopt/detail/list_order.hpp>
#include <prefopt/detail/pair_engine.hpp>
#include <prefopt/detail/transpose.hpp>
#include <prefopt/list_batch.hpp>
#include <string>
#include <utility>
#include <vector>

namespace prefopt::inline PREFOPT_ABI::detail {

/// What the engine knows of a list loss with its parameters.
struct list_facts {
  std::string (*name)() = nullptr;
  columns needs = columns::none, takes = columns::none, one_of = columns::none;
  bool is_ranked = false, is_square = false, refuses_ties = false;
  double highest_reward = 0, reward_scale = 1;

  [[nodiscard]] bool reads(columns which) const noexcept { return contains(needs | takes, which); }
};

template <class L, class Resolved>
list_facts facts_of(Resolved const& loss) noexcept {
  return {.name = &name_of<L>,
          .needs = list_needs_of(loss),
          .takes = list_takes_of<Resolved>(),
          .one_of = one_of<Resolved>(),
          .is_ranked = is_ranked<Resolved>(),
          .is_square = is_square<Resolved>(),
          .refuses_ties = refuses_ties(loss),
          .highest_reward = highest_reward<Resolved>(),
          .reward_scale = reward_scale(loss)};
}

/// The columns of a list batch that have a value a candidate, beside logp.
template <class T>
struct list_column {
  char const* name;
  column<T> list_batch<T>::*values;
  columns kind;
};

template <class T>
inline constexpr std::array<list_column<T>, 4> list_columns{{{"ref_logp", &list_batch<T>::ref_logp, columns::reference},
                                                             {"length", &list_batch<T>::length, columns::length},
                                                             {"reward", &list_batch<T>::reward, columns::reward},
                                                             {"target", &list_batch<T>::target, columns::target}}};

[[noreturn]] PREFOPT_COLD inline void fail_list_size(std::string const& name, std::size_t size, std::string const& of,
                                                     std::size_t expected) {
  fail_evaluate(name + " has " + elements(size) + ", " + of + " " + text(expected));
}

template <class T>
void check_list_columns(list_facts const& facts, list_batch<T> const& batch, list_outputs<T> const& results) {
  std::size_t const n = batch.logp.size();
  std::size_t const groups = batch.offsets.empty() ? 0 : batch.offsets.size() - 1;
  unsigned given_of_one = 0;
  for (auto const& [name, values, kind] : list_columns<T>) {
    std::size_t const size = (batch.*values).size();
    if (size == 0) {
      if (contains(facts.needs, kind) && n != 0) {
        fail_evaluate(facts.name() + " needs the column " + name + ", which is not given");
      }
      continue;
    }
    if (!facts.reads(kind)) fail_evaluate(facts.name() + " does not read the column " + name + ", which is given");
    if (size != n) fail_list_size(name, size, "logp has", n);
    if (contains(facts.one_of, kind)) ++given_of_one;
  }
  if (facts.one_of != columns::none && given_of_one != 1 && n != 0) {
    fail_evaluate(facts.name() + " needs one of the columns reward and target, got " +
                  (given_of_one == 0 ? "none" : "both"));
  }
  if (!batch.weight.empty() && batch.weight.size() != n && batch.weight.size() != groups) {
    fail_evaluate("weight has " + elements(batch.weight.size()) + ", expected " + text(groups) + ", one a group, or " +
                  text(n) + ", one a candidate");
  }
  if (!results.loss.empty() && results.loss.size() != groups) {
    fail_list_size("loss", results.loss.size(), "the number of groups is", groups);
  }
  if (!results.d_logp.empty() && results.d_logp.size() != n) {
    fail_list_size("d_logp", results.d_logp.size(), "logp has", n);
  }

  check_offsets("evaluate", batch.offsets, n, [&](std::size_t group, std::size_t size) {
    constexpr std::size_t most = std::size_t{1} << std::min(std::numeric_limits<T>::digits, 32);
    if (size > most) {
      fail_evaluate("group " + text(group) + " has " + text(size) + " candidates, expected at most " + text(most));
    }
    if (!facts.is_square) return;
    auto const side = static_cast<std::size_t>(std::lround(std::sqrt(static_cast<double>(size))));
    if (side * side == size) return;
    fail_evaluate("group " + text(group) + " has " + text(size) + " candidates, " + facts.name() +
                  " expects a square number");
  });
}

/// The groups of a batch in parts that can be run at once. Their bounds depend on the offsets alone.
template <class T>
class list_parts {
 public:
  explicit list_parts(list_batch<T> const& batch) noexcept
      : offsets_{batch.offsets}, groups_{batch.offsets.size() - 1} {
    // A group costs about as much as a few candidates.
    work_ = batch.logp.size() + 4 * groups_;
    count_ = groups_ == 0 ? 0 : std::clamp<std::size_t>(work_ / 16384, 1, most_parts);
  }
  [[nodiscard]] std::size_t count() const noexcept { return count_; }
  /// The first group of a part.
  [[nodiscard]] std::size_t begin(std::size_t part) const noexcept {
    if (part == 0) return 0;
    if (part == count_) return groups_;
    std::size_t const share = work_ / count_ * part;
    std::size_t low = 0, high = groups_;
    while (low < high) {
      std::size_t const middle = low + (high - low) / 2;
      if (static_cast<std::size_t>(offsets_[middle]) + 4 * middle < share) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }

 private:
  column<std::int64_t> offsets_;
  std::size_t groups_, work_, count_;
};

/// Groups are looked at, and sorted by size, this many at a time.
inline constexpr std::size_t window_groups = 1024;

/// Calls body(first, count, offsets) for the groups [begin, end) in windows.
template <class Body>
void for_each_window(column<std::int64_t> const& offsets, std::size_t begin, std::size_t end,
                     Body const& body) noexcept {
  std::int64_t buffer[window_groups + 1];
  for (std::size_t first = begin; first < end; first += window_groups) {
    std::size_t const count = std::min(window_groups, end - first);
    body(first, count, offsets.block(first, count + 1, buffer));
  }
}

/// Values of a column for a group: in place if they lie so, else packed in pieces into a buffer.
template <class T, class F>
void for_each_piece(column<T> const& values, std::size_t begin, std::size_t size, F const& f) noexcept {
  constexpr std::size_t piece = 256;
  T buffer[piece];
  for (std::size_t i = 0; i < size; i += piece) {
    std::size_t const count = std::min(piece, size - i);
    f(values.block(begin + i, count, buffer), count);
  }
}

/// What has to be known of the groups before anything is written.
struct list_inspection {
  static constexpr std::size_t none = static_cast<std::size_t>(-1);
  double weight = 0;
  std::size_t out_of_range = none, non_finite = none, empty = none, tied = none;  ///< the first such group

  void operator+=(list_inspection const& other) noexcept {
    weight += other.weight;
    out_of_range = std::min(out_of_range, other.out_of_range);
    non_finite = std::min(non_finite, other.non_finite);
    empty = std::min(empty, other.empty);
    tied = std::min(tied, other.tied);
  }
};

/// Whether weights come one a candidate and not one a group.
template <class T>
bool has_flat_weight(list_batch<T> const& batch) noexcept {
  return !batch.weight.empty() && batch.weight.size() != batch.offsets.size() - 1;
}

/// A group's weight. Of an empty group with none of its own, 0.
template <class T>
T weight_of(list_batch<T> const& batch, std::size_t group, std::size_t begin, std::size_t size) noexcept {
  if (batch.weight.empty()) return T(1);
  if (!has_flat_weight(batch)) return batch.weight[group];
  return size == 0 ? T(0) : batch.weight[begin];
}

template <class T>
class list_inspector {
 public:
  list_inspector(list_facts const& facts, list_batch<T> const& batch, options const& options) noexcept
      : facts_{facts},
        batch_{batch},
        judges_finite_{options.non_finite != on_invalid::propagate},
        skips_non_finite_{options.non_finite == on_invalid::skip},
        skips_empty_{options.empty == on_invalid::skip} {}

  /// False where nothing but the offsets needs to be looked at.
  [[nodiscard]] bool reads_values() const noexcept {
    return judges_finite_ || !batch_.weight.empty() || !batch_.length.empty() || !batch_.target.empty() ||
           (!batch_.reward.empty() && (facts_.refuses_ties || has_highest()));
  }

  /// True if no value of the candidates [begin, end) can be objected to, weights apart: looked at in one sweep.
  [[nodiscard]] bool is_clean(std::size_t begin, std::size_t end) const noexcept {
    bool objects = false;
    auto const sweep = [&](column<T> const& values, auto const& condition) {
      for_each_piece(values, begin, values.empty() ? 0 : end - begin, [&](T const* x, std::size_t count) {
        int here = 0;
        for (std::size_t i = 0; i < count; ++i) here |= static_cast<int>(condition(x[i]));
        objects |= here != 0;
      });
    };
    sweep(batch_.length, [](T x) { return x <= 0; });
    sweep(batch_.target, [](T x) { return x < 0; });
    if (has_highest()) {
      sweep(batch_.reward, [this](T x) { return x > static_cast<T>(facts_.highest_reward); });
    }
    if (judges_finite_) {
      sweep(batch_.logp, is_bad);
      for (auto const& [name, values, kind] : list_columns<T>) sweep(batch_.*values, is_bad);
    }
    return !objects;
  }

  /// Groups of clean values differ only in their weights and ties.
  [[nodiscard]] bool looks_at_groups() const noexcept {
    return !batch_.weight.empty() || (facts_.refuses_ties && !batch_.reward.empty());
  }

  void look_at(std::size_t group, std::size_t begin, std::size_t size, list_inspection& seen,
               tile_index<T>* order) const noexcept {
    bool outside = false, bad = false, nothing = size == 0;
    auto const any_of = [&](column<T> const& values, auto const& condition) {
      bool found = false;
      for_each_piece(values, begin, values.empty() ? 0 : size, [&](T const* x, std::size_t count) {
        bool here = false;
        for (std::size_t i = 0; i < count; ++i) here |= condition(x[i]);
        found |= here;
      });
      return found;
    };
    outside |= any_of(batch_.length, [](T x) { return x < 0; });
    outside |= any_of(batch_.target, [](T x) { return x < 0; });
    nothing |= any_of(batch_.length, [](T x) { return x == 0; });
    if (has_highest()) {
      outside |= any_of(batch_.reward, [this](T x) { return x > static_cast<T>(facts_.highest_reward); });
    }
    if (judges_finite_) {
      bad |= any_of(batch_.logp, is_bad);
      for (auto const& [name, values, kind] : list_columns<T>) bad |= any_of(batch_.*values, is_bad);
    }
    T const weight = weight_of(batch_, group, begin, size);
    bool const weight_is_bad = is_bad(weight);
    if (skips_non_finite_) bad |= weight_is_bad;
    outside |= weight_is_bad ? !skips_non_finite_ : weight < 0;
    if (has_flat_weight(batch_) && !weight_is_bad) {
      outside |= any_of(batch_.weight, [weight](T x) { return x != weight; });
    }
    if (outside) seen.out_of_range = std::min(seen.out_of_range, group);
    if (bad) seen.non_finite = std::min(seen.non_finite, group);
    if (nothing) seen.empty = std::min(seen.empty, group);
    if (facts_.refuses_ties && !batch_.reward.empty() && has_tie(begin, size, order)) {
      seen.tied = std::min(seen.tied, group);
    }
    if (!(skips_non_finite_ && bad) && !(skips_empty_ && nothing)) seen.weight += static_cast<double>(weight);
  }

 private:
  [[nodiscard]] bool has_highest() const noexcept {
    return facts_.highest_reward < std::numeric_limits<double>::infinity();
  }

  static bool is_bad(T x) noexcept { return !(x - x == 0); }

  [[nodiscard]] bool has_tie(std::size_t begin, std::size_t size, tile_index<T>* order) const noexcept {
    if (size <= largest_lane_group) {
      T buffer[largest_lane_group];
      T const* const x = batch_.reward.block(begin, size, buffer);
      bool tied = false;
      for (std::size_t i = 1; i < size; ++i) {
        for (std::size_t j = 0; j < i; ++j) tied |= x[i] == x[j];
      }
      return tied;
    }
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

  list_facts const& facts_;
  list_batch<T> const& batch_;
  bool judges_finite_, skips_non_finite_, skips_empty_;
};

/// Says which value of a group is out of its range.
template <class T>
[[noreturn]] PREFOPT_COLD void fail_for_list_range(list_facts const& facts, list_batch<T> const& batch,
                                                   std::size_t group, bool skips_non_finite) {
  auto const begin = static_cast<std::size_t>(batch.offsets[group]),
             end = static_cast<std::size_t>(batch.offsets[group + 1]);
  auto const found = [](char const* name, std::size_t index, T value, std::string const& expected) {
    fail_evaluate(std::string{name} + "[" + text(index) + "] is " + text(static_cast<double>(value)) + ", expected " +
                  expected);
  };
  for (std::size_t i = begin; i < end; ++i) {
    if (!batch.length.empty() && batch.length[i] < 0) found("length", i, batch.length[i], "a number >= 0");
    if (!batch.target.empty() && batch.target[i] < 0) found("target", i, batch.target[i], "a number >= 0");
    if (!batch.reward.empty() && batch.reward[i] > static_cast<T>(facts.highest_reward)) {
      found("reward", i, batch.reward[i], "at most " + text(facts.highest_reward) + " with " + facts.name());
    }
  }
  bool const is_flat = has_flat_weight(batch);
  T const weight = weight_of(batch, group, begin, end - begin);
  std::size_t const index = is_flat ? begin : group;
  if (std::isfinite(weight) ? weight < 0 : !skips_non_finite) {
    found("weight", index, weight, "a finite number >= 0");
  }
  for (std::size_t i = begin; is_flat && i < end; ++i) {
    if (batch.weight[i] != weight) {
      found("weight", i, batch.weight[i],
            text(static_cast<double>(weight)) + " as at the first candidate of group " + text(group));
    }
  }
  fail_evaluate("a column changed during the call");
}

template <class T>
[[noreturn]] PREFOPT_COLD void fail_for_list_non_finite(list_batch<T> const& batch, std::size_t group) {
  auto const begin = static_cast<std::size_t>(batch.offsets[group]),
             end = static_cast<std::size_t>(batch.offsets[group + 1]);
  auto const look = [&](char const* name, column<T> const& values) {
    for (std::size_t i = begin; !values.empty() && i < end; ++i) {
      if (std::isfinite(values[i])) continue;
      fail_evaluate(std::string{name} + "[" + text(i) + "] is " + text(static_cast<double>(values[i])) +
                    ", expected a finite number");
    }
  };
  look("logp", batch.logp);
  for (auto const& [name, values, kind] : list_columns<T>) look(name, batch.*values);
  fail_evaluate("a column changed during the call");
}

template <class T>
[[noreturn]] PREFOPT_COLD void fail_for_tie(list_facts const& facts, list_batch<T> const& batch, std::size_t group) {
  auto const begin = static_cast<std::size_t>(batch.offsets[group]),
             end = static_cast<std::size_t>(batch.offsets[group + 1]);
  for (std::size_t i = begin; i < end; ++i) {
    for (std::size_t j = begin; j < i; ++j) {
      if (batch.reward[i] != batch.reward[j]) continue;
      fail_evaluate("reward[" + text(j) + "] and reward[" + text(i) + "] of group " + text(group) + " are both " +
                    text(static_cast<double>(batch.reward[i])) + ", " + facts.name() +
                    " expects different ones unless break_ties is set");
    }
  }
  fail_evaluate("a column changed during the call");
}

/// Working memory for the groups of a part that are too large for the stack.
template <class T>
struct large_group_room {
  std::size_t values = 0, places = 0;

  static constexpr std::size_t padding = 64;

  void fit(std::size_t group_size) noexcept {
    if (group_size <= largest_lane_group) return;
    values = std::max(values, list_tile<T>::column_count * (group_size + padding));
    places = std::max(places, group_size);
  }
};

/// Runs the groups of one part.
template <class T, class Arch>
class list_runner {
  using V = xsimd::batch<T, Arch>;
  static constexpr std::size_t lanes = V::size;

 public:
  list_runner(list_facts const& facts, list_kernel<T> kernel, void const* loss, list_settings<T> const& settings,
              list_batch<T> const& batch, list_outputs<T> const& results, options const& options, T* room,
              tile_index<T>* order) noexcept
      : facts_{facts},
        kernel_{kernel},
        loss_{loss},
        settings_{settings},
        batch_{batch},
        results_{results},
        accumulate_{options.gradient == gradient_write::accumulate},
        skip_non_finite_{options.non_finite == on_invalid::skip},
        skip_empty_{options.empty == on_invalid::skip},
        room_{room},
        order_{order} {}

  void run(std::size_t begin, std::size_t end, list_sums& totals) noexcept {
    for_each_window(batch_.offsets, begin, end,
                    [&](std::size_t first, std::size_t count, std::int64_t const* offsets) noexcept {
                      run_window(first, count, offsets, totals);
                    });
  }

 private:
  void run_window(std::size_t first, std::size_t count, std::int64_t const* offsets, list_sums& totals) noexcept {
    T loss_buffer[window_groups];
    T* const losses = results_.loss.block(first, count, loss_buffer, false);
    auto const size_of = [&](std::size_t i) { return static_cast<std::size_t>(offsets[i + 1] - offsets[i]); };

    // The groups of each size, in order.
    std::uint16_t in_size_order[window_groups];
    std::size_t ends[largest_lane_group + 2];
    bool const same_size = sort_by_size(offsets, count, in_size_order, ends);

    alignas(64) T lane_sums[list_sum_count * lanes] = {};
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
    for (std::size_t which = 0; which < list_sum_count; ++which) {
      totals[which] += static_cast<double>(sum_of_lanes(V::load_aligned(lane_sums + which * lanes)));
    }
    results_.loss.commit(first, count, loss_buffer);
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
                 list_sums& totals) const noexcept {
    for (std::size_t lane = 0; lane < live; ++lane) {
      if (losses != nullptr) losses[groups[lane]] = T(0);
      T const weight = weight_of(batch_, first + groups[lane], 0, 0);
      bool const bad = !(weight - weight == 0);
      totals[empty_sum] += 1;
      totals[non_finite_sum] += bad ? 1 : 0;
      if (skip_empty_ || (skip_non_finite_ && bad)) continue;
      totals[counted_sum] += 1;
    }
  }

  [[nodiscard]] bool sorts() const noexcept { return facts_.is_ranked && !batch_.reward.empty(); }

  /// The columns of a tile, one behind the other, `stride` values each.
  list_tile<T> lay_out(T* memory, std::size_t stride) const noexcept {
    list_tile<T> tile;
    auto const next = [&]() noexcept { return std::exchange(memory, memory + stride); };
    tile.log_prob = next();
    tile.given_score = next();
    tile.slope = next();
    auto& ranked = tile.ranked;
    ranked.gradient = next();
    ranked.reward = next();
    for (T*& slot : ranked.slots) slot = next();
    if (sorts()) ranked.score = next();
    if (!batch_.ref_logp.empty()) tile.reference = next();
    if (!batch_.length.empty()) tile.length = next();
    if (!batch_.target.empty()) ranked.target = next();
    tile.evidence = batch_.reward.empty() && ranked.target != nullptr ? ranked.target : ranked.reward;
    tile.best_first = facts_.is_ranked || (batch_.reward.empty() && ranked.target == nullptr);
    return tile;
  }

  /// pack(source, into) for every column that is given but the rewards; a target goes the way that the rewards went.
  template <class Pack>
  void pack_columns(list_tile<T>& tile, Pack const& pack) const noexcept {
    pack(batch_.logp, tile.log_prob);
    if (tile.reference != nullptr) pack(batch_.ref_logp, tile.reference);
    if (tile.length != nullptr) pack(batch_.length, tile.length);
    if (T* const target = tile.ranked.target; target != nullptr) {
      T* const given = tile.origins == nullptr ? target : tile.slope;
      pack(batch_.target, given);
      for (std::size_t i = 0; tile.origins != nullptr && i < tile.values; ++i) target[i] = given[tile.origins[i]];
    }
  }

  void run_lanes(std::size_t first, std::size_t const* groups, std::size_t const* begins, std::size_t live,
                 std::size_t size, T* losses, T* lane_sums, list_sums& totals) const noexcept {
    alignas(64) T memory[list_tile<T>::column_count * largest_lane_group * lanes];
    alignas(64) tile_index<T> origins[largest_lane_group * lanes];
    alignas(64) T weight[lanes], counted[lanes], loss[lanes];
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
    if (batch_.reward.empty()) {
      for (std::size_t k = 0; k < size; ++k) V(-static_cast<T>(k)).store_aligned(reward + k * lanes);
    } else {
      pack(batch_.reward, reward);
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
    if (batch_.weight.empty()) {
      V(T(1)).store_aligned(weight);
    } else {
      for (std::size_t lane = 0; lane < lanes; ++lane) {
        weight[lane] = weight_of(batch_, first + groups[lane], begins[lane], size);
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
    if (skip_non_finite_) counts = counts & !bad;
    if (skip_empty_) counts = counts & !nothing;
    xsimd::select(counts, one, zero).store_aligned(counted);
    if (xsimd::any(bad)) [[unlikely]] {
      // A reward that only ranks would leave no trace of its NaN.
      V poison = zero;
      for (std::size_t i = 0; i < tile.values; i += lanes) {
        V const x = V::load_aligned(reward + i);
        poison = xsimd::select(x == x, poison, x);
      }
      for (std::size_t i = 0; i < tile.values; i += lanes) {
        (V::load_aligned(tile.log_prob + i) + poison).store_aligned(tile.log_prob + i);
      }
      // NaN has no place in an order.
      tile.has_ties = true;
      totals[non_finite_sum] += static_cast<double>(sum_of_lanes(V(xsimd::select(in_use & bad, one, zero))));
    }
    if (xsimd::any(nothing)) {
      totals[empty_sum] += static_cast<double>(sum_of_lanes(V(xsimd::select(in_use & nothing, one, zero))));
    }

    tile.weight = weight;
    tile.counted = counted;
    tile.loss = loss;
    kernel_(loss_, settings_, tile, lane_sums, totals);

    for (std::size_t lane = 0; losses != nullptr && lane < live; ++lane) losses[groups[lane]] = loss[lane];
    if (results_.d_logp.empty()) return;
    T const* const gradient = tile.ranked.gradient;
    T* const target = results_.d_logp.in_place();
    if (target != nullptr && !accumulate_) {
      std::array<T*, lanes> rows;
      for (std::size_t lane = 0; lane < lanes; ++lane) rows[lane] = target + begins[lane];
      lanes_to_rows(gradient, size, live, rows);
      return;
    }
    T buffer[largest_lane_group];
    for (std::size_t lane = 0; lane < live; ++lane) {
      T* const to = results_.d_logp.block(begins[lane], size, buffer, accumulate_);
      for (std::size_t k = 0; k < size; ++k) {
        T const x = gradient[k * lanes + lane];
        to[k] = accumulate_ ? to[k] + x : x;
      }
      results_.d_logp.commit(begins[lane], size, buffer);
    }
  }

  void run_large(std::size_t group, std::size_t begin, std::size_t size, T* loss, list_sums& totals) const noexcept {
    constexpr std::size_t padding = large_group_room<T>::padding;
    list_tile<T> tile = lay_out(room_, size + padding);
    tile.size = tile.values = size;
    tile.is_spread = true;
    T* const reward = tile.ranked.reward;
    auto const pack = [&](column<T> const& source, T* into) noexcept {
      T const* const from = source.block(begin, size, into);
      if (from != into) std::copy_n(from, size, into);
      // Lanes behind the last candidate compute with a copy of it.
      std::fill(into + size, into + size + padding, into[size - 1]);
    };
    if (batch_.reward.empty()) {
      for (std::size_t k = 0; k < size + padding; ++k) reward[k] = -static_cast<T>(k);
    } else if (sorts()) {
      T* const given = tile.slope;
      pack(batch_.reward, given);
      order_by(given, size, order_);
      for (std::size_t k = 0; k < size; ++k) reward[k] = given[order_[k]];
      std::fill(reward + size, reward + size + padding, reward[size - 1]);
      tile.origins = order_;
    } else {
      pack(batch_.reward, reward);
    }
    pack_columns(tile, pack);

    T const weight = weight_of(batch_, group, begin, size);
    bool bad = !(weight - weight == 0), nothing = false;
    for (T const* values : {tile.log_prob, reward, tile.reference, tile.length, tile.ranked.target}) {
      for (std::size_t k = 0; values != nullptr && k < size; ++k) bad |= !(values[k] - values[k] == 0);
    }
    for (std::size_t k = 0; tile.length != nullptr && k < size; ++k) nothing |= tile.length[k] == 0;
    T counted = (skip_non_finite_ && bad) || (skip_empty_ && nothing) ? T(0) : T(1), value;
    if (bad) {
      T poison = 0;
      for (std::size_t k = 0; k < size; ++k) poison = reward[k] == reward[k] ? poison : reward[k];
      for (std::size_t k = 0; k < size; ++k) tile.log_prob[k] += poison;
      totals[non_finite_sum] += 1;
    }
    if (nothing) totals[empty_sum] += 1;

    tile.weight = &weight;
    tile.counted = &counted;
    tile.loss = &value;
    kernel_(loss_, settings_, tile, nullptr, totals);
    if (loss != nullptr) *loss = value;
    if (!results_.d_logp.empty()) {
      T* const target = results_.d_logp.block(begin, size, tile.slope, accumulate_);
      for (std::size_t k = 0; k < size; ++k) {
        target[k] = accumulate_ ? target[k] + tile.ranked.gradient[k] : tile.ranked.gradient[k];
      }
      results_.d_logp.commit(begin, size, tile.slope);
    }
    if (counted != 0 && !facts_.is_square) {
      T const* const score = tile.origins == nullptr ? tile.given_score : tile.ranked.score;
      auto const pairs = count_ranked_pairs(tile.evidence, score, size, order_, tile.ranked.slots[0]);
      totals[ordered_sum] += pairs[0];
      totals[right_sum] += pairs[1];
    }
  }

  list_facts const& facts_;
  list_kernel<T> kernel_;
  void const* loss_;
  list_settings<T> settings_;
  list_batch<T> const& batch_;
  list_outputs<T> const& results_;
  bool accumulate_, skip_non_finite_, skip_empty_;
  T* room_;
  tile_index<T>* order_;
};

/// The engine for groups: checks, then one pass.
template <class T, class Arch>
report evaluate_lists(list_facts const& facts, list_kernel<T> kernel, void const* loss, list_batch<T> const& batch,
                      list_outputs<T> const& results, options const& options) {
  check_arithmetic<T>(batch.logp.size());
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

  // Nothing to divide by: every counted weight is 0, and so is every gradient.
  double const denominator = options.denominator.value_or(total_weight == 0 ? 1 : total_weight);
  list_settings<T> const settings{
      .gradient_scale = static_cast<T>(options.reduction == reduction::mean ? 1 / denominator : 1),
      .reward_scale = static_cast<T>(facts.reward_scale)};
  std::array<list_sums, most_parts> of_part{};
  auto const run_part = [&](std::size_t part) noexcept {
    list_runner<T, Arch>{facts,
                         kernel,
                         loss,
                         settings,
                         batch,
                         results,
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

  double const counted = sums[counted_sum] == 0 ? 1 : sums[counted_sum];
  double const scale = facts.reward_scale;
  return {.loss = options.reduction == reduction::sum ? sums[loss_sum] : sums[loss_sum] / denominator,
          .accuracy = sums[ordered_sum] == 0 ? 0 : sums[right_sum] / sums[ordered_sum],
          .margin = scale * ((sums[best_sum] - sums[others_sum]) / counted),
          .chosen_reward = scale * (sums[best_sum] / counted),
          .rejected_reward = scale * (sums[others_sum] / counted),
          .best_probability = sums[probability_sum] / counted,
          .weight = total_weight,
          .count = static_cast<std::size_t>(sums[counted_sum]),
          .skipped = groups - static_cast<std::size_t>(sums[counted_sum]),
          .non_finite = static_cast<std::size_t>(sums[non_finite_sum]),
          .empty = static_cast<std::size_t>(sums[empty_sum])};
}

}  // namespace prefopt::inline PREFOPT_ABI::detail
