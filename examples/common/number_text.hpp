#pragma once

#include <charconv>
#include <cstdlib>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>

#include "input_error.hpp"

/// A number, or what is wrong with the text that should have been one.
template <class T>
struct parsed_number {
  T value{};
  std::string problem;
};

/// The whole text as a number of type T (float, double or unsigned), whatever the locale: decimal or scientific, inf
/// and nan included. What is too small for the type is refused as what is too large, or rounded to 0.
template <class T>
parsed_number<T> parse_number(std::string_view text, bool rounds_to_zero = false) {
  std::string const expected = std::is_integral_v<T> ? ", expected a whole number >= 0" : ", expected a number";
  if (text.empty()) return {{}, "empty" + expected};
  T value{};
  // std::from_chars takes no plus sign, and some writers put one.
  bool const plus = text.size() > 1 && text[0] == '+' && text[1] != '-';
  char const* const end = text.data() + text.size();
  auto const [stop, error] = std::from_chars(text.data() + (plus ? 1 : 0), end, value);
  if (error == std::errc::invalid_argument || stop != end) return {{}, in_quotes(text) + expected};
  if (error != std::errc{}) {
    if constexpr (std::is_floating_point_v<T>) {
      double const near = rounds_to_zero ? std::strtod(std::string{text}.c_str(), nullptr) : 1;
      if (near > -1 && near < 1) return {static_cast<T>(near), {}};
    }
    return {{}, in_quotes(text) + ", beyond what the number type can hold"};
  }
  return {value, {}};
}

/// Appends the shortest text that reads back as the same number.
template <class T>
void append_number(std::string& text, T value) {
  char digits[32];
  text.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
}

template <class T>
std::string number_text(T value) {
  std::string text;
  append_number(text, value);
  return text;
}
