#pragma once

// The functions under test: the library's own, or the ones that pick an instruction set at run time.

#if defined(PREFOPT_TEST_KERNELS)
#include <prefopt/kernels.hpp>
namespace front = prefopt::kernels;
#else
#include <prefopt/engine/evaluate.hpp>
#include <prefopt/logprob/token_logprobs.hpp>
namespace front = prefopt;
#endif
