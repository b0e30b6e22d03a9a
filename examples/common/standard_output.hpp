#pragma once

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>

#include "input_error.hpp"

/// Writes the finished output; a closed pipe or a full disk is an error.
inline void write_standard_output(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) {
    throw input_error{std::string{"standard output: "} + std::strerror(errno)};
  }
}
