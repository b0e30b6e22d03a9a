#pragma once

#include <prefopt/report.hpp>

#include "oracle/bits.hpp"

namespace oracle {

/// Every field the same, bit for bit.
inline bool same_bits(prefopt::report const& a, prefopt::report const& b) {
  return same_bits(a.loss, b.loss) && same_bits(a.accuracy, b.accuracy) && same_bits(a.margin, b.margin) &&
         same_bits(a.chosen_reward, b.chosen_reward) && same_bits(a.rejected_reward, b.rejected_reward) &&
         same_bits(a.best_probability, b.best_probability) && same_bits(a.weight, b.weight) && a.count == b.count &&
         a.skipped == b.skipped && a.non_finite == b.non_finite && a.empty == b.empty;
}

}  // namespace oracle
