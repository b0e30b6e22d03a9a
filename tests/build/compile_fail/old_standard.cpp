// Compiles with the options of every day and is refused with those of the test.
#include <prefopt/core/abi.hpp>
#include <prefopt/version.hpp>
