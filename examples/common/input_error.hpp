#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>

/// What the user gave cannot be used: the text is one line that says where, what was got and what was expected.
struct input_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// FILE:LINE: COLUMN: MESSAGE, without the parts that are not known (line 0, empty column).
inline input_error error_at(std::string_view file, std::size_t line, std::string_view column,
                            std::string_view message) {
  std::string text{file};
  if (line != 0) text += ':' + std::to_string(line);
  text += ": ";
  if (!column.empty()) text.append(column).append(": ");
  return input_error{text.append(message)};
}

/// The user's text as a message shows it: in quotes, on one line, not endless.
inline std::string in_quotes(std::string_view text) {
  constexpr std::size_t longest = 60;
  std::string shown{"'"};
  for (char const c : text.substr(0, longest)) shown += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  return shown += text.size() > longest ? "...'" : "'";
}
