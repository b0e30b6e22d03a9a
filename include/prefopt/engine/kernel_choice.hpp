#pragma once

#include <prefopt/core/abi.hpp>

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif

namespace PREFOPT_KERNELS {

struct kernel_table;

/// Kernels compiled for one instruction set.
struct choice {
  char const* name;
  bool (*runs_here)();
  kernel_table const& (*table)();
};

/// What prefopt_add_kernels has compiled, best first; the last has no name. Each program and shared library has its
/// own.
extern PREFOPT_HIDDEN choice const choices[];

// Whether the CPU, and the system, have what a level of the x86-64 psABI (or of Arm) adds up to.
static inline bool runs_sse2() { return true; }
static inline bool runs_neon() { return true; }

#if defined(__x86_64__) || defined(__i386__)
static inline bool runs_sse4_2() {
  return __builtin_cpu_supports("sse4.2") != 0 && __builtin_cpu_supports("ssse3") != 0 &&
         __builtin_cpu_supports("popcnt") != 0;
}

static inline bool runs_avx2() {
  unsigned a = 0, b = 0, c = 0, d = 0, extended = 0;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0 || __get_cpuid(0x80000001U, &a, &b, &extended, &d) == 0) return false;
  constexpr unsigned f16c = 1U << 29U, movbe = 1U << 22U, lzcnt = 1U << 5U;
  return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0 &&
         __builtin_cpu_supports("bmi") != 0 && __builtin_cpu_supports("bmi2") != 0 && (c & f16c) != 0 &&
         (c & movbe) != 0 && (extended & lzcnt) != 0;
}

static inline bool runs_avx512() {
  return runs_avx2() && __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
         __builtin_cpu_supports("avx512cd") != 0 && __builtin_cpu_supports("avx512dq") != 0 &&
         __builtin_cpu_supports("avx512vl") != 0;
}
#endif

}  // namespace PREFOPT_KERNELS
