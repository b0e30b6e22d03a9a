#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <limits>
#include <prefopt/batch/options.hpp>
#include <prefopt/contract/loss_facts.hpp>
#include <prefopt/core/errors.hpp>
#include <prefopt/view/kernel_types.hpp>
#include <string>
#include <string_view>
#include <utility>

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

/// The columns of a family that a loss decides on, by the bit of their kind: a bit each.
template <class Family>
inline constexpr auto columns_of_kind = [] {
  std::array<unsigned, 16> sets{};
  for (std::size_t c = 0; c < Family::input_count; ++c) {
    auto const& row = Family::template inputs<float>[c];
    if (row.when == presence::as_read)
      sets[static_cast<std::size_t>(std::countr_zero(static_cast<unsigned>(row.kind)))] |= 1U << c;
  }
  return sets;
}();

/// The number of the lowest bit.
constexpr std::size_t first_of(unsigned set) noexcept { return static_cast<std::size_t>(std::countr_zero(set)); }

template <class Family>
constexpr unsigned columns_of(columns kinds) noexcept {
  unsigned set = 0;
  for (auto left = static_cast<unsigned>(kinds); left != 0; left &= left - 1) {
    set |= columns_of_kind<Family>[first_of(left)];
  }
  return set;
}

template <class Family>
constexpr unsigned columns_that_are(presence when) noexcept {
  return columns_where<Family>([when](auto const& row) { return row.when == when; });
}

// Each column's place is known when this is compiled: a walk over the tables would be most of a call on few examples.
template <class Family, class T, std::size_t... C>
PREFOPT_INLINE unsigned columns_given(typename Family::template batch<T> const& batch,
                                      std::index_sequence<C...>) noexcept {
  return (0U | ... | (unsigned{(batch.*Family::template inputs<T>[C].values).is_given()} << C));
}

/// Outputs that something is written to, a bit each.
template <class Family, class T, std::size_t... C>
PREFOPT_INLINE unsigned outputs_given(typename Family::template outputs<T> const& outputs,
                                      std::index_sequence<C...>) noexcept {
  return (0U | ... | (unsigned{!(outputs.*Family::template results<T>[C].values).empty()} << C));
}
template <class Family, class T>
unsigned outputs_given(typename Family::template outputs<T> const& outputs) noexcept {
  return outputs_given<Family, T>(outputs, std::make_index_sequence<Family::output_count>{});
}

template <class Family, class T>
[[noreturn]] PREFOPT_COLD void fail_for_size(typename Family::template batch<T> const& batch, std::size_t column,
                                             std::size_t examples, std::size_t items) {
  auto const& row = Family::template inputs<T>[column];
  std::size_t const size = (batch.*row.values).size();
  if constexpr (requires { Family::item; }) {
    if (row.per == entries::of_either) {
      fail_evaluate({row.name, " has ", elements(size), ", expected ", text(examples), ", one a ", Family::example,
                     ", or ", text(items), ", one a ", Family::item});
    }
  }
  fail_size("", row.name, size, Family::template inputs<T>[0].name, " has ", items);
}

/// The columns and outputs of a batch of `examples` with `items`, against what the loss reads. `lengths_mark_empty`:
/// lengths are given to find empty completions although the loss does not read them. Returns the columns that have values,
/// a bit each.
template <class Family, class T>
unsigned check_columns(loss_facts const& facts, typename Family::template batch<T> const& batch,
                       typename Family::template outputs<T> const& outputs, std::size_t examples, std::size_t items,
                       bool lengths_mark_empty) {
  constexpr unsigned always = columns_that_are<Family>(presence::always),
                     optional = columns_that_are<Family>(presence::optional);
  columns const kinds = facts.needs | facts.takes | (lengths_mark_empty ? columns::length : columns::none);
  unsigned const needed = always | columns_of<Family>(facts.needs),
                 read = always | optional | columns_of<Family>(kinds);
  auto const name_of = [](unsigned set) { return Family::template inputs<T>[first_of(set)].name; };

  unsigned const given = columns_given<Family, T>(batch, std::make_index_sequence<Family::input_count>{});
  unsigned with_values = 0, of_another_size = 0;
  for (unsigned left = given; left != 0; left &= left - 1) {
    auto const& row = Family::template inputs<T>[first_of(left)];
    std::size_t const size = (batch.*row.values).size();
    bool const fits = size == items || (row.per == entries::of_either && size == examples);
    with_values |= unsigned{size != 0} << first_of(left);
    of_another_size |= unsigned{!fits} << first_of(left);
  }
  unsigned const missing = items == 0 ? 0U : needed & ~given, unread = with_values & ~read,
                 wrong = read & of_another_size;
  if (unsigned const refused = missing | unread | wrong; refused != 0) {
    unsigned const first = refused & (~refused + 1);
    if ((missing & first) != 0) {
      fail_column(facts.name, " needs the column ", name_of(first), ", which is not given");
    }
    if ((unread & first) != 0) {
      fail_column(facts.name, " does not read the column ", name_of(first), ", which is given");
    }
    fail_for_size<Family, T>(batch, first_of(first), examples, items);
  }
  if (facts.one_of != columns::none && items != 0) {
    int const count = std::popcount(with_values & columns_of<Family>(facts.one_of));
    if (count != 1) {
      fail_column(facts.name, " needs one of the columns reward and target, got ", count == 0 ? "none" : "both", "");
    }
  }

  for (unsigned left = outputs_given<Family, T>(outputs); left != 0; left &= left - 1) {
    auto const& row = Family::template results<T>[first_of(left)];
    if (row.is_of_some && (facts.writes >> first_of(left) & 1U) == 0) {
      fail_column(facts.name, " does not write the output ", row.name, ", which is given");
    }
    std::size_t const size = (outputs.*row.values).size();
    bool const of_groups = row.per == entries::of_examples;
    if (size == (of_groups ? examples : items)) continue;
    fail_size(Family::output_prefix, row.name, size,
              of_groups ? "the number of groups" : Family::template inputs<T>[0].name, of_groups ? " is " : " has ",
              of_groups ? examples : items);
  }

  // A column of a kind without the other ones: a loss that nobody wrote.
  for (auto left = static_cast<unsigned>(kinds); left != 0; left &= left - 1) {
    unsigned const of_kind = columns_of_kind<Family>[first_of(left)], half = with_values & of_kind;
    if (half == 0 || half == of_kind) continue;
    fail_evaluate({name_of(half), " is given, but ", name_of(of_kind & ~half), " is not"});
  }
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
