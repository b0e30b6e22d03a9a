#pragma once

#include <prefopt/engine/any_loss.hpp>
#include <prefopt/engine/evaluate.hpp>

// In the place of tests/oracle/front.hpp: kernels of the program's own. The loss's header is given to the compiler.

namespace front = prefopt;
