#pragma once

#include <cstddef>
#include <limits>
#include <prefopt/core/abi.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// The columns of a batch, beyond log-probs and weights, that a score or a loss reads.
enum class columns : unsigned {
  none = 0,
  reference = 1,
  length = 2,
  margin = 4,
  label = 8,
  reliability = 16,
  reward = 32,
  target = 64,
  scale = 128,
  kl = 256,
  deviation = 512,
  sign = 1024,
  rationale = 2048,
  gold = 4096,
  old_policy = 8192,
  rollout = 16384,
  entropy = 32768
};

constexpr columns operator|(columns a, columns b) noexcept {
  return static_cast<columns>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}
constexpr columns operator&(columns a, columns b) noexcept {
  return static_cast<columns>(static_cast<unsigned>(a) & static_cast<unsigned>(b));
}
constexpr bool contains(columns set, columns subset) noexcept { return (set & subset) == subset; }

/// What the values of a column may be.
enum class value_range : unsigned char {
  any,           ///< log-probs, margins, rewards: NaN and infinities, too, see options.non_finite
  non_negative,  ///< lengths, targets
  weight,        ///< finite and >= 0: weights enter the sum that every gradient is divided by
  probability,   ///< in [0, 1]
};

/// What a loss takes of a column beyond the column's own range.
enum class allowed_values : unsigned char {
  all,       ///< of the range
  positive,  ///< > 0
  inside,    ///< of a probability: neither 0 nor 1
  outcome,   ///< 0, 1/2 or 1: lost, a tie, won
  binary,    ///< 0 or 1
  log_prob,  ///< <= 0
};

/// Columns of a kind, and what a loss takes of them.
struct column_rule {
  columns kind = columns::none;  ///< none: what the gradients are of
  allowed_values values = allowed_values::all;
};

/// Whether a value is one of those; what is not finite is, for options.non_finite to judge.
constexpr bool is_allowed(double x, allowed_values values) noexcept {
  switch (values) {
    case allowed_values::positive:
      return !(x <= 0) || x < std::numeric_limits<double>::lowest();
    case allowed_values::inside:
      return x != 0 && x != 1;
    case allowed_values::outcome:
      return x == 0 || x == 0.5 || x == 1 || x != x;
    case allowed_values::binary:
      return x == 0 || x == 1 || x != x;
    case allowed_values::log_prob:
      return !(x > 0) || x > std::numeric_limits<double>::max();
    default:
      return true;
  }
}

/// "a number > 0", as messages have it.
constexpr char const* expectation_of(allowed_values values) noexcept {
  switch (values) {
    case allowed_values::positive:
      return "a number > 0";
    case allowed_values::inside:
      return "a number in (0, 1)";
    case allowed_values::outcome:
      return "0, 0.5 or 1";
    case allowed_values::binary:
      return "0 or 1";
    case allowed_values::log_prob:
      return "a log-prob <= 0";
    default:
      return "any number";
  }
}

/// Whether a loss decides if a column is there.
enum class presence : unsigned char {
  always,    ///< what the gradients are of
  as_read,   ///< a loss names its kind among what it needs or takes
  optional,  ///< every loss reads it if it is given
};

/// What a column, or an output, has a value for.
enum class entries : unsigned char {
  of_examples,  ///< one a pair, one a group
  of_items,     ///< one a candidate of a group; of a pair, the example is the item
  of_either,
};

namespace detail {

/// A column of a family's batch, as everything sees it that treats columns alike: a row of the family's table.
template <class Batch, class Column>
struct input_row {
  char const* name;
  Column Batch::*values;
  columns kind = columns::none;
  presence when = presence::as_read;
  value_range range = value_range::any;
  entries per = entries::of_items;
};

/// An output of a family, likewise.
template <class Outputs, class Output>
struct output_row {
  char const* name;
  Output Outputs::*values;
  int gradient_of = -1;     ///< the input whose gradient it is; options.gradient acts on it
  bool is_of_some = false;  ///< written by those losses that have it
  entries per = entries::of_items;
  bool is_reward = false;  ///< a score times the scale of rewards
  int if_left_out = -1;    ///< the input that stands here of an example that does not count; none: 0
};

/// The columns of a family whose rows are so, a bit each.
template <class Family, class Is>
constexpr unsigned columns_where(Is const& is) noexcept {
  unsigned set = 0;
  for (std::size_t c = 0; c < Family::input_count; ++c) set |= unsigned{is(Family::template inputs<float>[c])} << c;
  return set;
}

}  // namespace detail
}  // namespace prefopt::inline PREFOPT_ABI
