#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <prefopt/core/errors.hpp>
#include <prefopt/view/column.hpp>
#include <string>
#include <string_view>

namespace prefopt::inline PREFOPT_ABI::detail {

/// Throws, naming `where`, unless the offsets span n candidates in groups; then also calls group_size(group, size).
template <class F>
void check_offsets(std::string_view where, column<std::int64_t> const& offsets, std::size_t n, F const& group_size) {
  if (offsets.empty()) fail(where, "offsets is empty, expected the number of groups + 1 entries");
  constexpr std::size_t piece = 256;
  std::int64_t buffer[piece], before = 0;
  for (std::size_t begin = 0; begin < offsets.size(); begin += piece) {
    std::size_t const count = std::min(piece, offsets.size() - begin);
    std::int64_t const* const at = offsets.block(begin, count, buffer);
    for (std::size_t i = 0; i < count; ++i) {
      std::size_t const index = begin + i;
      if (at[i] < before || static_cast<std::uint64_t>(at[i]) > n || (index == 0 && at[i] != 0)) {
        fail(where, "offsets[" + text(index) + "] is " + std::to_string(at[i]) +
                        (index == 0 ? ", expected 0"
                                    : ", expected a number from " + std::to_string(before) + " to " + text(n)));
      }
      if (index != 0) group_size(index - 1, static_cast<std::size_t>(at[i] - before));
      before = at[i];
    }
  }
  if (static_cast<std::size_t>(before) != n) {
    fail(where, "offsets end at " + std::to_string(before) + ", logp has " + elements(n));
  }
}

inline void check_offsets(std::string_view where, column<std::int64_t> const& offsets, std::size_t n) {
  check_offsets(where, offsets, n, [](std::size_t, std::size_t) {});
}

}  // namespace prefopt::inline PREFOPT_ABI::detail
