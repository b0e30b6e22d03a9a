#pragma once

#include <prefopt/simd/lanes.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// The instruction set that is picked at run time among those that prefopt_add_kernels has compiled, see kernels.hpp:
/// an argument like any other, `evaluate<at_run_time>(dpo{}, batch)`.
/// Hidden, as everything made with it then is: each program and shared library finds its own kernels.
struct PREFOPT_HIDDEN at_run_time {};

/// What functions compute with unless they are told: what the file is compiled for, or, where PREFOPT_AT_RUN_TIME is
/// defined, what is picked at run time.
#if defined(PREFOPT_AT_RUN_TIME)
using default_instruction_set = at_run_time;
#else
using default_instruction_set = xsimd::default_arch;
#endif

}  // namespace prefopt::inline PREFOPT_ABI
