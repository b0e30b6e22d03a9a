#pragma once

#include <cmath>
#include <cstddef>
#include <limits>
#include <prefopt/batch/options.hpp>
#include <prefopt/contract/loss_facts.hpp>
#include <prefopt/core/errors.hpp>
#include <prefopt/view/kernel_types.hpp>
#include <string>
#include <string_view>

// What a batch must and may have, read off the table of its family.

namespace prefopt::inline PREFOPT_ABI::detail {

[[noreturn]] PREFOPT_COLD inline void fail_evaluate(std::string const& what) { fail("evaluate", what); }
[[noreturn]] PREFOPT_COLD inline void fail_evaluate(std::initializer_list<std::string_view> pieces) {
  fail("evaluate", pieces);
}

[[noreturn]] PREFOPT_COLD inline void fail_column(std::string_view loss, std::string_view does, std::string_view name,
                                                  std::string_view which) {
  fail_evaluate({loss, does, name, which});
}

/// "output loss has 3 elements, chosen has 4".
[[noreturn]] PREFOPT_COLD inline void fail_size(std::string_view prefix, std::string_view name, std::size_t size,
                                                std::string_view of, std::string_view has, std::size_t expected) {
  fail_evaluate({prefix, name, " has ", elements(size), ", ", of, has, text(expected)});
}

[[noreturn]] PREFOPT_COLD inline void fail_value(std::string_view name, std::size_t index, double value,
                                                 std::string_view expected, std::string_view more = {}) {
  fail_evaluate({name, "[", text(index), "] is ", text(value), ", expected ", expected, more});
}

/// Says which column of a kind is missing while another is there: a loss that nobody wrote.
template <class Family, class T>
[[noreturn]] PREFOPT_COLD void fail_for_half(typename Family::template batch<T> const& batch, columns halved) {
  std::string_view given, missing;
  for (auto const& row : Family::template inputs<T>) {
    if (row.when != presence::as_read || !contains(halved, row.kind)) continue;
    std::string_view& name = (batch.*row.values).empty() ? missing : given;
    if (name.empty()) name = row.name;
  }
  fail_evaluate({given, " is given, but ", missing, " is not"});
}

inline void check_options(options const& options) {
  if (!options.denominator) return;
  if (options.reduction != reduction::mean) fail_evaluate("denominator is given, but only reduction::mean divides");
  if (!(*options.denominator > 0) || !std::isfinite(*options.denominator)) {
    fail_evaluate("denominator is " + text(*options.denominator) + ", expected a finite number > 0");
  }
}

/// That examples of so much weight can be divided by it in T.
template <class T>
void check_denominator(double denominator, double weight = 1) {
  double const least = weight / static_cast<double>(std::numeric_limits<T>::max());
  if (denominator > least) return;
  fail_evaluate({"denominator is ", text(denominator), ", expected more than ", text(least),
                 ", or the scale of the gradients overflows"});
}

/// For adapters whose gradients are of one batch alone: an option that they could only ignore is an error.
inline void check_assigned(std::string_view where, options const& options,
                           std::string_view who_adds_up = "the policy adds up gradients itself") {
  if (options.gradient == gradient_write::assign) return;
  fail(where, "options.gradient is accumulate, expected assign: " + std::string{who_adds_up});
}

/// The columns and outputs of a batch of `examples` with `items`, against what the loss reads. `lengths_mark_empty`:
/// lengths are given to find empty completions although the loss does not read them. Returns the columns that have values,
/// a bit each.
template <class Family, class T>
unsigned check_columns(loss_facts const& facts, typename Family::template batch<T> const& batch,
                       typename Family::template outputs<T> const& outputs, std::size_t examples, std::size_t items,
                       bool lengths_mark_empty) {
  auto const& inputs = Family::template inputs<T>;
  std::string_view const loss = facts.name;
  columns const reads = facts.needs | facts.takes | (lengths_mark_empty ? columns::length : columns::none);
  unsigned given_of_one = 0, with_values = 0, bit = 1;
  columns given = columns::none, missing = columns::none;
  for (auto const& row : inputs) {
    auto const& column = batch.*row.values;
    std::size_t const size = column.size();
    if (size != 0) with_values |= bit;
    bit <<= 1;
    bool const is_read = row.when != presence::as_read || contains(reads, row.kind);
    bool const is_needed =
        row.when == presence::always || (row.when == presence::as_read && contains(facts.needs, row.kind));
    if (!column.is_given() && is_needed && items != 0) {
      fail_column(loss, " needs the column ", row.name, ", which is not given");
    }
    if (size != 0 && !is_read) {
      fail_column(loss, " does not read the column ", row.name, ", which is given");
    }
    if (column.is_given() && is_read && size != items && !(row.per == entries::of_either && size == examples)) {
      if (row.per == entries::of_either) {
        if constexpr (requires { Family::item; }) {
          fail_evaluate({row.name, " has ", elements(size), ", expected ", text(examples), ", one a ", Family::example,
                         ", or ", text(items), ", one a ", Family::item});
        }
      }
      fail_size("", row.name, size, inputs[0].name, " has ", items);
    }
    if (row.when != presence::as_read) continue;
    (size == 0 ? missing : given) = (size == 0 ? missing : given) | row.kind;
    if (size != 0 && contains(facts.one_of, row.kind)) ++given_of_one;
  }
  if (facts.one_of != columns::none && given_of_one != 1 && items != 0) {
    fail_column(loss, " needs one of the columns reward and target, got ", given_of_one == 0 ? "none" : "both", "");
  }
  for (std::size_t c = 0; c < Family::output_count; ++c) {
    auto const& row = Family::template results<T>[c];
    std::size_t const size = (outputs.*row.values).size();
    if (size == 0) continue;
    if (row.is_of_some && (facts.writes >> c & 1U) == 0) {
      fail_column(loss, " does not write the output ", row.name, ", which is given");
    }
    bool const of_groups = row.per == entries::of_examples;
    if (size != (of_groups ? examples : items)) {
      fail_size(Family::output_prefix, row.name, size, of_groups ? "the number of groups" : inputs[0].name,
                of_groups ? " is " : " has ", of_groups ? examples : items);
    }
  }
  if (columns const halved = given & missing; halved != columns::none) fail_for_half<Family, T>(batch, halved);
  return with_values;
}

/// Says which value of the items [begin, end) is out of its range.
template <class Family, class T>
PREFOPT_COLD void find_out_of_range(loss_facts const& facts, typename Family::template batch<T> const& batch,
                                    inspection_settings<T> const& looked_for, std::size_t begin, std::size_t end) {
  for (std::size_t i = begin; i < end; ++i) {
    for (std::size_t c = 0; c < Family::input_count; ++c) {
      auto const& row = Family::template inputs<T>[c];
      auto const& column = batch.*row.values;
      if (column.empty() || row.per != entries::of_items) continue;
      T const got = column[i];
      bool const is_weight = row.range == value_range::weight;
      if ((looked_for.ruled >> c & 1U) != 0 && !is_allowed(static_cast<double>(got), facts.rule.values)) {
        fail_value(row.name, i, static_cast<double>(got), expectation_of(facts.rule.values),
                   " with " + std::string{facts.name});
      }
      if (is_weight && looked_for.skip_non_finite && !std::isfinite(got)) continue;
      bool const is_below = row.range != value_range::any && got < 0;
      if (!is_below && !(got > looked_for.highest[c]) && !(is_weight && std::isnan(got))) continue;
      bool const is_above = !is_below && !is_weight && row.range != value_range::probability;
      fail_value(row.name, i, static_cast<double>(got),
                 row.range == value_range::probability ? "a number in [0, 1]"
                 : is_weight                           ? "a finite number >= 0"
                 : is_below                            ? "a number >= 0"
                                                       : "at most " + text(facts.highest_reward) + " with ",
                 is_above ? facts.name : std::string_view{});
    }
  }
}

/// Says which value of the items [begin, end) is not finite.
template <class Family, class T>
[[noreturn]] PREFOPT_COLD void fail_for_non_finite(typename Family::template batch<T> const& batch, std::size_t begin,
                                                   std::size_t end) {
  for (auto const& row : Family::template inputs<T>) {
    auto const& column = batch.*row.values;
    for (std::size_t i = begin; !column.empty() && row.per == entries::of_items && i < end; ++i) {
      if (std::isfinite(column[i])) continue;
      fail_value(row.name, i, static_cast<double>(column[i]), "a finite number");
    }
  }
  fail_evaluate("a column changed during the call");
}

}  // namespace prefopt::inline PREFOPT_ABI::detail
