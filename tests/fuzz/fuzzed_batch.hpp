#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <prefopt/batch/groups.hpp>
#include <prefopt/batch/options.hpp>
#include <prefopt/engine/any_loss.hpp>
#include <utility>
#include <vector>

#include "fuzzed_column.hpp"

/// Values of a batch of a family, as plain vectors.
template <class Family, class T>
struct batch_values {
  std::array<std::vector<T>, Family::input_count> columns;
  std::array<bool, Family::input_count> is_given{};
  std::vector<std::int64_t> offsets;  ///< of groups

  [[nodiscard]] typename Family::template batch<T> batch() const {
    typename Family::template batch<T> all;
    for (std::size_t c = 0; c < Family::input_count; ++c) {
      if (is_given[c]) all.*Family::template inputs<T>[c].values = columns[c];
    }
    if constexpr (requires { all.offsets; }) all.offsets = offsets;
    return all;
  }

  /// The examples of these places, in that order.
  [[nodiscard]] batch_values of(std::vector<std::size_t> const& places) const {
    batch_values some;
    some.is_given = is_given;
    if (!offsets.empty()) some.offsets.push_back(0);
    for (std::size_t const place : places) {
      std::size_t begin = place, end = place + 1;
      if (!offsets.empty()) {
        begin = static_cast<std::size_t>(offsets[place]);
        end = static_cast<std::size_t>(offsets[place + 1]);
        some.offsets.push_back(some.offsets.back() + offsets[place + 1] - offsets[place]);
      }
      for (std::size_t c = 0; c < Family::input_count; ++c) {
        // One that is given and empty does no harm where nothing reads it.
        if (columns[c].empty()) continue;
        auto const at = [&](std::size_t i) { return columns[c].begin() + static_cast<std::ptrdiff_t>(i); };
        bool const of_either = Family::template inputs<T>[c].per == prefopt::entries::of_either;
        if (!of_either) {
          some.columns[c].insert(some.columns[c].end(), at(begin), at(end));
        } else if (columns[c].size() == offsets.size() - 1) {
          some.columns[c].push_back(columns[c][place]);
        } else {
          // One an item and the same throughout an example: from now on one an example.
          some.columns[c].push_back(begin < end ? columns[c][begin] : T(0));
        }
      }
    }
    return some;
  }
};

/// How a batch is made.
struct batch_shape {
  std::size_t examples = 0, items = 0;
  double most = 30;      ///< magnitude of its numbers
  bool is_sound = true;  ///< everything is as the loss wants it; else anything may be wrong
};

/// Batches of a family, as a loss wants them or not.
template <class Family, class T>
class batch_maker {
 public:
  batch_maker(fuzz_input& in, prefopt::any_loss<Family> const& loss, batch_shape const& shape)
      : in_{in}, loss_{loss}, shape_{shape} {}

  [[nodiscard]] std::array<fuzzed_column<T>, Family::input_count> columns() {
    using prefopt::columns, prefopt::presence;
    std::array<fuzzed_column<T>, Family::input_count> made;
    columns given = columns::none, decided = columns::none;
    columns const one_of = in_.one_in(2) ? columns::reward : columns::target;
    for (std::size_t c = 0; c < Family::input_count; ++c) {
      auto const& row = Family::template inputs<T>[c];
      bool gives = row.when == presence::always;
      if (row.when == presence::optional) {
        gives = in_.one_in(2) && loss_.facts().matches == prefopt::rank_matching::none;
      } else if (row.when == presence::as_read) {
        if (!contains(decided, row.kind)) {
          bool const is_alternative = contains(loss_.one_of(), row.kind);
          bool const wants =
              is_alternative ? row.kind == one_of : loss_.needs(row.kind) || (loss_.reads(row.kind) && in_.one_in(2));
          if (wants) given = given | row.kind;
          decided = decided | row.kind;
        }
        gives = contains(given, row.kind);
      }
      if (!shape_.is_sound && in_.one_in(48)) gives = !gives;
      if (gives) made[c] = {in_, values(row), shape_.is_sound && (is_ruled(row) || row.kind == columns::reward)};
    }
    return made;
  }

  /// Of groups that are as many as the shape says.
  [[nodiscard]] std::vector<std::int64_t> offsets(std::vector<std::size_t> const& sizes) {
    std::vector<std::int64_t> made{0};
    for (std::size_t const size : sizes) made.push_back(made.back() + static_cast<std::int64_t>(size));
    if (!shape_.is_sound && in_.one_in(16)) made[in_.below(made.size())] = static_cast<std::int64_t>(in_.bits(8));
    if (!shape_.is_sound && in_.one_in(32)) made.pop_back();
    return made;
  }

 private:
  template <class Row>
  [[nodiscard]] bool is_ruled(Row const& row) const {
    if (loss_.rule().values == prefopt::allowed_values::all || row.when == prefopt::presence::optional) return false;
    return row.when == prefopt::presence::always ? loss_.rule().kind == prefopt::columns::none
                                                 : loss_.rule().kind == row.kind;
  }

  template <class Row>
  [[nodiscard]] std::vector<T> values(Row const& row) {
    std::size_t size = shape_.items;
    if (row.per == prefopt::entries::of_either) size = in_.one_in(2) && shape_.is_sound ? size : shape_.examples;
    if (row.per == prefopt::entries::of_either && shape_.is_sound) size = shape_.examples;
    if (!shape_.is_sound && in_.one_in(64)) size = in_.below(shape_.items + 3);
    std::vector<T> made(size);
    bool const is_wild = !shape_.is_sound && in_.one_in(3);
    for (std::size_t i = 0; i < size; ++i) {
      made[i] = is_wild || (!shape_.is_sound && in_.one_in(64)) ? in_.any<T>() : static_cast<T>(sound(row, i));
    }
    return made;
  }

  template <class Row>
  [[nodiscard]] double sound(Row const& row, std::size_t index) {
    using prefopt::allowed_values, prefopt::value_range, prefopt::columns;
    double const x = in_.finite(shape_.most);
    if (is_ruled(row)) {
      switch (loss_.rule().values) {
        case allowed_values::positive:
          return std::fabs(x) + 1e-3;
        case allowed_values::inside:
          return in_.uniform(0.01, 0.99);
        case allowed_values::outcome:
          return static_cast<double>(in_.below(3)) / 2;
        case allowed_values::binary:
          return static_cast<double>(in_.below(2));
        case allowed_values::log_prob:
          return -std::fabs(x);
        default:
          break;
      }
    }
    // No two alike, and none above what a loss takes.
    if (row.kind == columns::reward) {
      double const apart = static_cast<double>(index * 37 % 1024) + static_cast<double>(in_.below(8)) / 16;
      return std::min(1.0, loss_.highest_reward() / 1100) * apart;
    }
    if (row.kind == columns::length) return in_.one_in(4) ? std::fabs(x) + 1 : static_cast<double>(1 + in_.below(200));
    if (row.range == value_range::probability)
      return in_.one_in(4) ? static_cast<double>(in_.below(2)) : in_.uniform(0, 1);
    if (row.range == value_range::weight) return in_.one_in(8) ? 0 : in_.uniform(0, 4);
    return row.range == value_range::any ? x : std::fabs(x);
  }

  fuzz_input& in_;
  prefopt::any_loss<Family> const& loss_;
  batch_shape const& shape_;
};

/// Options, of which a sound batch's are as they should be.
inline prefopt::options options_for(fuzz_input& in, bool is_sound) {
  prefopt::options made;
  made.reduction = static_cast<prefopt::reduction>(in.below(3));
  made.gradient = static_cast<prefopt::gradient_write>(in.below(2));
  made.non_finite = static_cast<prefopt::on_invalid>(in.below(3));
  made.empty = static_cast<prefopt::on_invalid>(in.below(3));
  if (is_sound) {
    if (made.reduction == prefopt::reduction::mean && in.one_in(2)) made.denominator = in.uniform(0.01, 1000);
  } else if (in.one_in(3)) {
    made.denominator = in.one_in(2) ? in.any<double>() : in.uniform(-1, 1000);
  }
  return made;
}

/// Runs the parts once each, in any order, and some that are none of them never.
struct odd_executor {
  std::size_t step;

  void operator()(std::size_t parts, prefopt::executor::task const& task) const {
    // Every order by a step that has no divisor in common with the number of parts.
    std::size_t const by = std::gcd(step, parts) == 1 ? step : parts - 1 == 0 ? 1 : parts - 1;
    for (std::size_t i = 0, at = step % parts; i < parts; ++i, at = (at + by) % parts) task(at);
  }
};
