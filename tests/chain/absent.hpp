#pragma once

#include <catch.hpp>
#include <cstdio>
#include <cstdlib>

/// Ends this test as skipped, visibly. Catch2 2 knows no skipping: the exit status is what CTest takes for it.
[[noreturn]] inline void skip_without(char const* library) {
  std::printf("skipped: the tests were built without %s\n", library);
  std::fflush(stdout);
  std::_Exit(skipped_exit_status);
}
