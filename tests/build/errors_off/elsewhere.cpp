#include <prefopt/prefopt.hpp>

void fail_elsewhere();

void fail_elsewhere() { prefopt::evaluate(prefopt::dpo{.beta = -1}, prefopt::pair_batch<float>{}); }
