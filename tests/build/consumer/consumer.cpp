// A user's program.
#include <cmath>
#include <cstdio>
#include <prefopt/prefopt.hpp>
#include <prefopt/version.hpp>
#include <vector>

#define TEXT_EXPANDED(major, minor, patch) #major "." #minor "." #patch
#define TEXT(major, minor, patch) TEXT_EXPANDED(major, minor, patch)

int main() {
  std::vector<float> const a{-1, -2}, b{-3, -1}, zero{0, 0};
  auto const seen = prefopt::evaluate(
      prefopt::dpo{.beta = 0.5},
      prefopt::pair_batch<float>{.chosen = a, .rejected = b, .ref_chosen = zero, .ref_rejected = zero});
  double const expected = (std::log1p(std::exp(-1.0)) + std::log1p(std::exp(0.5))) / 2;
  std::printf("version %s, loss %g\n", TEXT(PREFOPT_VERSION_MAJOR, PREFOPT_VERSION_MINOR, PREFOPT_VERSION_PATCH),
              seen.loss);
  return std::fabs(seen.loss - expected) < 1e-6 && seen.accuracy == 0.5 ? 0 : 1;
}
