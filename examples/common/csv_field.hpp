#pragma once

#include <csv.h>

#include <cstddef>
#include <string>
#include <string_view>

/// Appends a text field to a line of CSV, quoted where csv_table would read something else without the quotes.
inline void append_field(std::string& line, std::string_view field) {
  bool const needs_quotes = field.empty() || field.front() == ' ' || field.front() == '\t' || field.back() == ' ' ||
                            field.back() == '\t' || field.front() == '#';
  if (!needs_quotes && field.find_first_of(",\"\r\n") == std::string_view::npos) {
    line += field;
    return;
  }
  std::size_t const begin = line.size();
  line.resize(begin + 2 * field.size() + 2);
  line.resize(begin + csv_write(line.data() + begin, line.size() - begin, field.data(), field.size()));
}
