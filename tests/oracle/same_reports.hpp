#pragma once

#include <bit>
#include <cstdint>
#include <prefopt/batch/report.hpp>

namespace oracle {

/// Every field the same, bit for bit, a NaN's bits, too.
inline bool same_bits(prefopt::report const& a, prefopt::report const& b) {
  for (auto const field :
       {&prefopt::report::loss, &prefopt::report::accuracy, &prefopt::report::margin, &prefopt::report::chosen_reward,
        &prefopt::report::rejected_reward, &prefopt::report::best_probability, &prefopt::report::weight}) {
    if (std::bit_cast<std::uint64_t>(a.*field) != std::bit_cast<std::uint64_t>(b.*field)) return false;
  }
  return a.count == b.count && a.skipped == b.skipped && a.non_finite == b.non_finite && a.empty == b.empty;
}

}  // namespace oracle
