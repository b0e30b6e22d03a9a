// A pair loss takes pairs, not groups.
#include <prefopt/evaluate.hpp>
#include <prefopt/loss/cpo.hpp>
#include <prefopt/loss/info_nce.hpp>
#include <vector>

void use(std::vector<double> const& a, std::vector<int> const& offsets) {
  prefopt::list_batch<double> const groups{.logp = a, .offsets = offsets};
#if defined(MISTAKE)
  prefopt::evaluate(prefopt::cpo{}, groups);
#else
  prefopt::evaluate(prefopt::info_nce{}, groups);
#endif
}
