#pragma once

#include <unistd.h>

#include <cstdlib>

/// Starts the program anew with OMP_WAIT_POLICY=passive unless that is set. Threads of ggml that spin while they wait for
/// each other take ten times as long where something else runs, too, and libgomp reads the policy when it is loaded.
inline void wait_passively(char** argv) {
  char const* const policy = "OMP_WAIT_POLICY";
  if (std::getenv(policy) != nullptr || setenv(policy, "passive", 1) != 0) return;
  execv("/proc/self/exe", argv);
}
