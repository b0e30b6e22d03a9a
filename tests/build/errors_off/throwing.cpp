#include <prefopt/prefopt.hpp>
#include <stdexcept>
#include <vector>

double loss_with_exceptions() {
  std::vector<double> const a{-1}, b{-2}, zero{0};
  return prefopt::evaluate(
             prefopt::dpo{},
             prefopt::pair_batch<double>{.chosen = a, .rejected = b, .ref_chosen = zero, .ref_rejected = zero})
      .loss;
}

bool catches_with_exceptions() {
  try {
    prefopt::evaluate(prefopt::dpo{.beta = -1}, prefopt::pair_batch<double>{});
  } catch (std::invalid_argument const&) {
    return true;
  }
  return false;
}
