#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>

/// What the user gave cannot be used: the text is one line that says where, what was got and what was expected.
struct input_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The user's text with whatever could move the cursor or end the line escaped, and not endless.
inline std::string on_one_line(std::string_view text) {
  constexpr std::size_t longest = 200;
  constexpr char digits[] = "0123456789abcdef";
  std::string shown;
  for (char const c : text.substr(0, longest)) {
    auto const byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7f) {
      shown += c;
    } else if (c == '\n' || c == '\t') {
      shown += c == '\n' ? "\\n" : "\\t";
    } else {
      shown.append("\\x") += digits[byte >> 4];
      shown += digits[byte & 15];
    }
  }
  return shown += text.size() > longest ? "..." : "";
}

/// FILE:LINE: COLUMN: MESSAGE, without the parts that are not known (line 0, empty column).
inline input_error error_at(std::string_view file, std::size_t line, std::string_view column,
                            std::string_view message) {
  std::string text{file};
  if (line != 0) text += ':' + std::to_string(line);
  text += ": ";
  if (!column.empty()) text.append(on_one_line(column)).append(": ");
  return input_error{text.append(message)};
}

/// The user's text as a message shows it: in quotes, on one line, not endless.
inline std::string in_quotes(std::string_view text) {
  constexpr std::size_t longest = 60;
  std::string shown{"'"};
  for (char const c : text.substr(0, longest)) shown += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  return shown += text.size() > longest ? "...'" : "'";
}
