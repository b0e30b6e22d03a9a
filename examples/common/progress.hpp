#pragma once

#include <chrono>
#include <cstddef>
#include <string>

/// What is going on, on standard error: on a terminal a bar that is redrawn in place, otherwise nothing but the lines.
class progress {
 public:
  progress();

  void show(std::string const& what, std::size_t done, std::size_t all);

  /// A line that stays.
  void line(std::string const& text);

  /// Takes the bar away, before something else is written to the terminal.
  void clear();

 private:
  bool is_terminal_, bar_is_shown_ = false;
  std::chrono::steady_clock::time_point drawn_{};
};
