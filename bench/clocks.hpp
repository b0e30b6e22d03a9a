#pragma once

#include <chrono>
#include <ctime>

/// Seconds that have passed.
inline double wall_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// Seconds of CPU time that this thread has taken, to which other programs do not add; where there is no such clock, those
/// that have passed.
inline double thread_seconds() {
#if defined(CLOCK_THREAD_CPUTIME_ID)
  static bool const is_there = [] {
    std::timespec resolution{};
    return clock_getres(CLOCK_THREAD_CPUTIME_ID, &resolution) == 0;
  }();
  if (is_there) {
    std::timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
  }
#endif
  return wall_seconds();
}
