#include "text_table.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdio>

std::string text_table(std::vector<std::vector<std::string>> const& rows) {
  // A letter may take several bytes: the columns are as wide as what is seen.
  auto const width_of = [](std::string const& cell) {
    return static_cast<std::size_t>(
        std::ranges::count_if(cell, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
  };
  std::vector<std::size_t> widths;
  for (auto const& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
  }
  std::string text;
  for (auto const& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      std::string const padding(widths[i] - width_of(row[i]), ' ');
      if (i == 0) {
        text += row[i];
        if (row.size() > 1) text += padding;
      } else {
        text.append(2, ' ').append(padding).append(row[i]);
      }
    }
    text += '\n';
  }
  return text;
}

std::string decimals(double value, int count) {
  char text[400];
  std::snprintf(text, sizeof text, "%.*f", count, value);
  return text;
}
