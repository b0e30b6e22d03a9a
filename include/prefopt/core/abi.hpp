#pragma once

#include <prefopt/version.hpp>

#if defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__ > 0)
#error \
    "prefopt: -ffast-math and -ffinite-math-only break NaN handling and rounding here: compile this file without them"
#endif

#if !defined(__cplusplus) || __cplusplus < 202002L
#error "prefopt: C++20 is needed"
#endif

// Everything lives in an inline namespace that names version and instruction set, so that translation units built with
// different -march options can be linked together: each keeps its own copy of the templates.
#if defined(__AVX512VL__) && defined(__AVX512BW__) && defined(__AVX512DQ__)
#define PREFOPT_ISA avx512
#elif defined(__AVX512F__)
#define PREFOPT_ISA avx512f
#elif defined(__AVX2__)
#define PREFOPT_ISA avx2
#elif defined(__AVX__)
#define PREFOPT_ISA avx
#elif defined(__SSE4_2__)
#define PREFOPT_ISA sse4_2
#elif defined(__SSE4_1__)
#define PREFOPT_ISA sse4_1
#elif defined(__SSSE3__)
#define PREFOPT_ISA ssse3
#elif defined(__SSE3__)
#define PREFOPT_ISA sse3
#elif defined(__SSE2__)
#define PREFOPT_ISA sse2
#elif defined(__ARM_FEATURE_SVE)
#define PREFOPT_ISA sve
#elif defined(__ARM_NEON)
#define PREFOPT_ISA neon
#else
#define PREFOPT_ISA other
#endif

// Extensions beside those levels that a compiler uses of its own accord in ordinary code.
#if defined(__FMA__)
#define PREFOPT_ISA_FMA _fma
#else
#define PREFOPT_ISA_FMA
#endif
#if defined(__F16C__)
#define PREFOPT_ISA_F16C _f16c
#else
#define PREFOPT_ISA_F16C
#endif
#if defined(__BMI2__)
#define PREFOPT_ISA_BMI _bmi2
#else
#define PREFOPT_ISA_BMI
#endif
#if defined(__AVX512VBMI2__)
#define PREFOPT_ISA_VBMI _vbmi2
#elif defined(__AVX512VBMI__)
#define PREFOPT_ISA_VBMI _vbmi
#else
#define PREFOPT_ISA_VBMI
#endif
#if defined(__AVX512FP16__)
#define PREFOPT_ISA_FP16 _fp16
#else
#define PREFOPT_ISA_FP16
#endif

#if defined(__cpp_exceptions)
#define PREFOPT_ERRORS throws
#else
#define PREFOPT_ERRORS aborts
#endif

// With PREFOPT_AT_RUN_TIME defined, every call of a file goes through the kernels that prefopt_add_kernels has compiled.
#if defined(PREFOPT_AT_RUN_TIME)
#define PREFOPT_DISPATCH _at_run_time
#else
#define PREFOPT_DISPATCH
#endif

#define PREFOPT_JOIN_EXPANDED(major, minor, isa, fma, f16c, bmi, vbmi, fp16, errors, dispatch) \
  v##major##_##minor##_##isa##fma##f16c##bmi##vbmi##fp16##_##errors##dispatch
#define PREFOPT_JOIN(...) PREFOPT_JOIN_EXPANDED(__VA_ARGS__)
#define PREFOPT_ABI                                                                                          \
  PREFOPT_JOIN(PREFOPT_VERSION_MAJOR, PREFOPT_VERSION_MINOR, PREFOPT_ISA, PREFOPT_ISA_FMA, PREFOPT_ISA_F16C, \
               PREFOPT_ISA_BMI, PREFOPT_ISA_VBMI, PREFOPT_ISA_FP16, PREFOPT_ERRORS, PREFOPT_DISPATCH)

#define PREFOPT_KERNELS_EXPANDED(major, minor) prefopt_kernels_##major##_##minor
#define PREFOPT_KERNELS_JOINED(major, minor) PREFOPT_KERNELS_EXPANDED(major, minor)
/// A namespace that is the same for every instruction set, for what has to be found from all of them.
#define PREFOPT_KERNELS PREFOPT_KERNELS_JOINED(PREFOPT_VERSION_MAJOR, PREFOPT_VERSION_MINOR)

#if defined(__GNUC__) || defined(__clang__)
#define PREFOPT_HIDDEN __attribute__((visibility("hidden")))
#define PREFOPT_INLINE inline __attribute__((always_inline))
#define PREFOPT_INLINE_LAMBDA __attribute__((always_inline))
#define PREFOPT_NOINLINE __attribute__((noinline))
#define PREFOPT_COLD __attribute__((noinline, cold))
#else
#define PREFOPT_HIDDEN
#define PREFOPT_INLINE inline
#define PREFOPT_INLINE_LAMBDA
#define PREFOPT_NOINLINE
#define PREFOPT_COLD
#endif

// For a kernel: everything that it calls is in it. Where a file has many, g++ 12.2 at -O3 otherwise leaves operators of
// xsimd 8.1 out of the loops, and all lanes go through memory: measured, 1.4 times as long.
#if defined(__GNUC__) && !defined(__clang__)
#define PREFOPT_FLATTEN __attribute__((noinline, flatten))
#else
#define PREFOPT_FLATTEN PREFOPT_NOINLINE
#endif
