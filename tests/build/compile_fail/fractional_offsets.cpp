// Offsets are whole numbers: fractions are not silently cut off.
#include <prefopt/evaluate.hpp>
#include <prefopt/loss/info_nce.hpp>
#include <vector>

#if defined(MISTAKE)
using number = double;
#else
using number = unsigned;
#endif

void use(std::vector<float> const& logp, std::vector<number> const& offsets) {
  prefopt::evaluate(prefopt::info_nce{}, prefopt::list_batch<float>{.logp = logp, .offsets = offsets});
}
