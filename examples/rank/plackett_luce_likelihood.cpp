#include "plackett_luce_likelihood.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <prefopt/engine/evaluate.hpp>
#include <prefopt/loss/plackett_luce.hpp>
#include <vector>

double plackett_luce_likelihood(rankings const& data, std::span<double const> worth) {
  double value = 0;
  for (auto next = data.ranked.begin(); next != data.ranked.end();) {
    // Rankings with the same number of choices, which is a parameter of the loss.
    std::size_t const choices = next->ends.size();
    std::vector<std::int64_t> offsets{0};
    std::vector<double> logp, weight;
    for (; next != data.ranked.end() && next->ends.size() == choices; ++next) {
      for (std::size_t const item : next->items) logp.push_back(worth[item]);
      offsets.push_back(static_cast<std::int64_t>(logp.size()));
      weight.push_back(next->count);
    }
    value += prefopt::evaluate(prefopt::plackett_luce{.top_k = static_cast<double>(choices)},
                               prefopt::list_batch<double>{.logp = logp, .weight = weight, .offsets = offsets}, {},
                               {.reduction = prefopt::reduction::sum})
                 .loss;
  }
  return -value;
}
