#pragma once

#include <prefopt/prefopt.hpp>

// In the place of tests/oracle/front.hpp: kernels of the program's own.

namespace front = prefopt;
