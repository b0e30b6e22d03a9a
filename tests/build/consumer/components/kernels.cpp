#include <prefopt/kernels.hpp>

auto first_instruction_set() { return prefopt::kernels::instruction_sets().front(); }
