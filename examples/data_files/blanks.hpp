#pragma once

#include <string_view>

/// The text without the ASCII blanks before and behind it.
inline std::string_view without_blanks_around(std::string_view text) {
  constexpr std::string_view blanks = " \t\n\v\f\r";
  std::size_t const begin = text.find_first_not_of(blanks);
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(blanks) + 1 - begin);
}
