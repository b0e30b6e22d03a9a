// What has the same rank in the batch is compared: one pair has no other order.
#include <prefopt/evaluate.hpp>
#include <prefopt/loss/aot.hpp>
#include <prefopt/loss/dpo.hpp>
#include <prefopt/modifier/smoothed.hpp>

#if defined(MISTAKE)
using base = prefopt::aot;
#else
using base = prefopt::dpo;
#endif

double use(prefopt::pair_batch<double> const& batch) {
  return prefopt::evaluate(prefopt::smoothed<base>{}, batch).loss;
}
