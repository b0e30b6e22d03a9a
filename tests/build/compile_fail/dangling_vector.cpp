// A column is a view: of a temporary that owns its elements nothing would be left.
#include <prefopt/evaluate.hpp>
#include <prefopt/loss/cpo.hpp>
#include <vector>

std::vector<double> log_probs();

void use() {
#if defined(MISTAKE)
  prefopt::pair_batch<double> const batch{.chosen = log_probs(), .rejected = log_probs()};
#else
  auto const chosen = log_probs(), rejected = log_probs();
  prefopt::pair_batch<double> const batch{.chosen = chosen, .rejected = rejected};
#endif
  prefopt::evaluate(prefopt::cpo{}, batch);
}
