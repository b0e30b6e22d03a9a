#pragma once

// The functions under test, those that pick an instruction set at run time: the kernels are compiled once for all test
// programs.

#include <prefopt/kernels.hpp>

namespace front = prefopt::kernels;
