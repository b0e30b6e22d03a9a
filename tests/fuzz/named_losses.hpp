#pragma once

#include <cmath>
#include <prefopt/engine/make_loss.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz_input.hpp"

/// What can be made by name: a loss, or a modifier over one, with all parameters that it takes.
struct fuzzed_loss_name {
  std::string name, base;
  std::vector<prefopt::parameter_card> parameters;
};

inline std::vector<fuzzed_loss_name> names_of(std::vector<prefopt::listed_loss_card> const& cards) {
  std::vector<fuzzed_loss_name> all;
  for (auto const& card : cards) {
    if (!card.is_modifier) all.push_back({std::string{card.card.name}, {}, card.parameters});
    for (auto const base : card.bases) {
      fuzzed_loss_name over{std::string{card.card.name}, std::string{base}, card.parameters};
      for (auto const& other : cards) {
        if (other.card.name != base) continue;
        over.parameters.insert(over.parameters.end(), other.parameters.begin(), other.parameters.end());
      }
      all.push_back(over);
    }
  }
  return all;
}

/// Parameters by name, of which some are given.
struct fuzzed_parameters {
  prefopt::parameter_values values;
  bool in_range = true;
  bool moderate = true;  ///< in range, and of sizes that somebody might want
};

inline fuzzed_parameters parameters_for(fuzz_input& in, std::vector<prefopt::parameter_card> const& cards) {
  fuzzed_parameters made;
  bool const is_wild = in.one_in(4);
  for (auto const& card : cards) {
    if (!in.one_in(3)) continue;
    auto const& valid = card.valid;
    double value = in.any<double>();
    if (!is_wild || in.one_in(2)) {
      double const low = std::max(valid.low, -8.0), high = std::min(valid.high, 8.0);
      value = in.uniform(low + (valid.low_is_in ? 0 : 0.01), high - (valid.high_is_in ? 0 : 0.01));
      if (valid.is_whole) value = std::floor(value + 0.5);
      if (low > high) value = valid.low;
    } else {
      made.moderate = false;
    }
    made.in_range = made.in_range && valid.contains(value);
    made.values.emplace_back(card.name, value);
  }
  made.moderate = made.moderate && made.in_range;
  return made;
}

/// Names, parameters and how it is made of them, for a message.
inline std::string text_of(fuzzed_loss_name const& of, prefopt::parameter_values const& values) {
  std::string text = of.base.empty() ? of.name : of.name + '<' + of.base + '>';
  for (auto const& [name, value] : values) text += ' ' + name + '=' + std::to_string(value);
  return text;
}
