#include "progress.hpp"

#include <unistd.h>

#include <cstdio>

progress::progress() : is_terminal_{isatty(STDERR_FILENO) == 1} {}

void progress::show(std::string const& what, std::size_t done, std::size_t all) {
  if (!is_terminal_) return;
  auto const now = std::chrono::steady_clock::now();
  if (bar_is_shown_ && now - drawn_ < std::chrono::milliseconds{50}) return;
  drawn_ = now;
  bar_is_shown_ = true;
  constexpr std::size_t width = 30;
  std::size_t const filled = all == 0 ? width : done * width / all;
  std::fprintf(stderr, "\r\033[K[%s%s] %3zu %% %s", std::string(filled, '#').c_str(),
               std::string(width - filled, '-').c_str(), all == 0 ? 100 : done * 100 / all, what.c_str());
  std::fflush(stderr);
}

void progress::line(std::string const& text) {
  clear();
  std::fprintf(stderr, "%s\n", text.c_str());
}

void progress::clear() {
  if (bar_is_shown_) std::fputs("\r\033[K", stderr);
  bar_is_shown_ = false;
}
