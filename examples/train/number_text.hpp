#pragma once

#include <charconv>
#include <string>

/// The shortest text that reads back as the same number.
inline std::string number_text(double value) {
  char buffer[32];
  return {buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr};
}
