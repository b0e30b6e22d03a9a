#pragma once

#include <cstddef>
#include <prefopt/contract/parameter_values.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "number_text.hpp"

// The lines of the tables of losses in --help and --losses.

inline void append_loss_line(std::string& text, std::string_view label, std::string_view content) {
  constexpr std::size_t width = 18;
  text.append("  ").append(label).append(width > label.size() ? width - label.size() : 1, ' ');
  text.append(content).append("\n");
}

/// "--beta 0.1 (> 0), --epsilon 0.1 (in [0, 0.5))", or "none".
inline std::string parameters_text(std::vector<prefopt::parameter_card> const& parameters) {
  std::string text;
  for (auto const& parameter : parameters) {
    text.append(text.empty() ? "--" : ", --").append(parameter.name).append(" ");
    text.append(number_text(parameter.standard)).append(" (").append(parameter.valid.text()).append(")");
  }
  return text.empty() ? "none" : text;
}
