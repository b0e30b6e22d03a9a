#pragma once

#include <csv.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>

#include "csv_number.hpp"
#include "input_error.hpp"

/// A text field, quoted where csv_table would read something else without the quotes.
inline void append_field(std::string& text, std::string_view field) {
  bool const needs_quotes = field.empty() || field.front() == ' ' || field.front() == '\t' || field.back() == ' ' ||
                            field.back() == '\t' || field.front() == '#';
  if (!needs_quotes && field.find_first_of(",\"\r\n") == std::string_view::npos) {
    text += field;
    return;
  }
  std::size_t const begin = text.size();
  text.resize(begin + 2 * field.size() + 2);
  text.resize(begin + csv_write(text.data() + begin, text.size() - begin, field.data(), field.size()));
}

/// Writes the finished output; a closed pipe or a full disk is an error.
inline void write_standard_output(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) {
    throw input_error{std::string{"standard output: "} + std::strerror(errno)};
  }
}
