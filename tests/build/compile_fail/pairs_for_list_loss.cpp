// A list loss takes groups, not pairs.
#include <prefopt/evaluate.hpp>
#include <prefopt/loss/plackett_luce.hpp>
#include <vector>

void use(std::vector<double> const& a, std::vector<double> const& b, std::vector<int> const& offsets) {
#if defined(MISTAKE)
  static_cast<void>(offsets);
  prefopt::evaluate(prefopt::plackett_luce{}, prefopt::pair_batch<double>{.chosen = a, .rejected = b});
#else
  prefopt::evaluate(prefopt::plackett_luce{}, prefopt::list_batch<double>{.logp = a, .reward = b, .offsets = offsets});
#endif
}
