// A batch is computed in float or double.
#include <prefopt/evaluate.hpp>
#include <prefopt/loss/cpo.hpp>
#include <vector>

#if defined(MISTAKE)
using number = int;
#else
using number = double;
#endif

void use(std::vector<number> const& a, std::vector<number> const& b) {
  prefopt::evaluate(prefopt::cpo{}, prefopt::pair_batch<number>{.chosen = a, .rejected = b});
}
