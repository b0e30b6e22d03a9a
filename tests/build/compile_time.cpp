// What a user compiles who evaluates one loss.
#include <prefopt/evaluate.hpp>
#include <prefopt/loss/dpo.hpp>

prefopt::report loss(prefopt::pair_batch<float> const& batch, prefopt::pair_outputs<float> const& outputs) {
  return prefopt::evaluate(prefopt::dpo{.beta = 0.1}, batch, outputs);
}
