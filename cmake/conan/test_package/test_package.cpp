#include <cstdio>
#include <prefopt/prefopt.hpp>
#include <vector>

int main() {
  std::vector<float> const chosen{-1}, rejected{-3};
  auto const seen =
      prefopt::evaluate(prefopt::cpo{}, prefopt::pair_batch<float>{.chosen = chosen, .rejected = rejected});
  std::printf("loss %g\n", seen.loss);
}
