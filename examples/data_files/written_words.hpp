#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

/// What true and false are written as, by JSON, Python and R; nothing for any other text.
inline std::optional<bool> truth_of_word(std::string_view text) {
  if (text == "true" || text == "True" || text == "TRUE") return true;
  if (text == "false" || text == "False" || text == "FALSE") return false;
  return {};
}

/// 3 of 3.0, as pandas writes the whole numbers of a column that has gaps; other texts as they are.
inline std::string_view without_zero_fraction(std::string_view text) {
  std::size_t const point = text.find('.');
  if (point == text.npos || text.find_first_not_of('0', point + 1) != text.npos) return text;
  std::string_view const whole = text.substr(0, point), digits = whole.substr(whole.starts_with('-') ? 1 : 0);
  bool const is_whole = !digits.empty() && digits.find_first_not_of("0123456789") == digits.npos;
  return is_whole && point + 1 < text.size() ? whole : text;
}
