#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>

#include "input_error.hpp"

/// A program that is started without standard streams opens files in their places, and would write into them, or read
/// them. What stands in for a stream fails whenever it is used.
inline void hold_places_of_closed_streams() {
  for (int const stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(stream, F_GETFD) >= 0) continue;
    // The lowest number that is free, which is this one.
    if (open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0) return;
  }
}

/// A closed pipe or a full disk is an error.
inline void flush_standard_output() {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return;
  throw input_error{std::string{"standard output: "} + (errno == 0 ? "cannot be written" : std::strerror(errno))};
}

/// Writes the finished output.
inline void write_standard_output(std::string_view text) {
  errno = 0;
  std::fwrite(text.data(), 1, text.size(), stdout);
  flush_standard_output();
}
