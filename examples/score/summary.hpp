#pragma once

#include <cstddef>
#include <cstdio>
#include <string>
#include <vector>

// The lines of the summary, which goes to standard error.

inline void print_line(char const* name, std::string const& text) {
  std::fprintf(stderr, "%-16s %s\n", name, text.c_str());
}

inline void print_count(char const* name, std::size_t value) { print_line(name, std::to_string(value)); }

inline void print_mean(char const* name, double value) { std::fprintf(stderr, "%-16s %.6g\n", name, value); }

/// Those that say something.
inline void print_notes(std::vector<std::string> const& notes) {
  for (auto const& note : notes) {
    if (!note.empty()) std::fprintf(stderr, "%s\n", note.c_str());
  }
}
