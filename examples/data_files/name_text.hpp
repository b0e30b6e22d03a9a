#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "input_error.hpp"

/// A name out of the user's file as a message shows it: as it stands, or in quotes where it would break the line.
inline std::string name_text(std::string_view name) {
  bool const is_plain = !name.empty() && name.size() <= 60 && std::ranges::all_of(name, [](char c) {
    return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f;
  });
  return is_plain ? std::string{name} : in_quotes(name);
}
