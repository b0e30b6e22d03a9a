#pragma once

#include <cstddef>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

// The lines of the summary, which goes to standard error.

inline void print_line(char const* name, std::string const& text) {
  std::fprintf(stderr, "%-16s %s\n", name, text.c_str());
}

inline void print_count(char const* name, std::size_t value) { print_line(name, std::to_string(value)); }

inline void print_mean(char const* name, double value) { std::fprintf(stderr, "%-16s %.6g\n", name, value); }

/// Columns that the file has and the loss has no use for, if there are such.
inline void print_not_read(std::vector<std::string_view> const& columns) {
  std::string names;
  for (auto const name : columns) names.append(names.empty() ? "" : ", ").append(name);
  if (!names.empty()) print_line("not read", names);
}

/// Those that say something.
inline void print_notes(std::vector<std::string> const& notes) {
  for (auto const& note : notes) {
    if (!note.empty()) std::fprintf(stderr, "%s\n", note.c_str());
  }
}
