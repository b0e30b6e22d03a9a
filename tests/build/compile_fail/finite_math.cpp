// Compiles with the options of every day and is refused with those of the test.
#include <prefopt/version.hpp>
#include <prefopt/detail/abi.hpp>
