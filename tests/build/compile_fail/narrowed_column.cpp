// Log-probs in double are not silently rounded to float.
#include <prefopt/evaluate.hpp>
#include <prefopt/loss/cpo.hpp>
#include <vector>

#if defined(MISTAKE)
using number = double;
#else
using number = float;
#endif

void use(std::vector<number> const& a) {
  prefopt::evaluate(prefopt::cpo{}, prefopt::pair_batch<float>{.chosen = a, .rejected = a});
}
