#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// The tokens of the policy: printable ASCII, a token a byte, and the end of a completion.
struct byte_alphabet {
  using token = std::uint8_t;

  static constexpr token end = 0;
  static constexpr int size = 96;

  static std::vector<token> tokens_of(std::string_view text) {
    std::vector<token> tokens;
    for (char const c : text) tokens.push_back(static_cast<token>(c - before_first));
    return tokens;
  }

  /// Without the end.
  static std::string text_of(std::vector<token> const& tokens) {
    std::string text;
    for (token const t : tokens) {
      if (t != end) text += static_cast<char>(t + before_first);
    }
    return text;
  }

 private:
  static constexpr char before_first = 31;
};
