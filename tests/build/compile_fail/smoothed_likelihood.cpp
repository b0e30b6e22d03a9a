// What is learnt of the chosen completion alone has no opposite label.
#include <prefopt/evaluate.hpp>
#include <prefopt/loss/dpo.hpp>
#include <prefopt/loss/sft.hpp>
#include <prefopt/modifier/smoothed.hpp>

#if defined(MISTAKE)
using base = prefopt::sft;
#else
using base = prefopt::dpo;
#endif

double use(prefopt::pair_batch<double> const& batch) {
  return prefopt::evaluate(prefopt::smoothed<base>{}, batch).loss;
}
