#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <prefopt/engine/list_facts.hpp>
#include <prefopt/view/offsets.hpp>
#include <prefopt/engine/list_order.hpp>
#include <prefopt/engine/list_parts.hpp>
#include <prefopt/batch/options.hpp>
#include <string>

namespace prefopt::inline PREFOPT_ABI::detail {

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

}  // namespace prefopt::inline PREFOPT_ABI::detail
