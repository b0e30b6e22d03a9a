#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <prefopt/core/errors.hpp>
#include <prefopt/view/column.hpp>
#include <string>
#include <string_view>

namespace prefopt::inline PREFOPT_ABI::detail {

/// How offsets are spoken of: their name, what begins at each, and what has as many elements as they end at.
struct offsets_names {
  std::string_view offsets = "offsets", example = "group", spanned = "logp";
};

/// Throws, naming `where`, unless the offsets span n items in examples; then also calls size_of(example, size).
template <class F>
void check_offsets(std::string_view where, column<std::int64_t> const& offsets, std::size_t n, F const& size_of,
                   offsets_names const& names = {}) {
  if (offsets.empty()) {
    fail(where, {names.offsets, " is empty, expected the number of ", names.example, "s + 1 entries"});
  }
  constexpr std::size_t piece = 256;
  std::int64_t buffer[piece], before = 0;
  for (std::size_t begin = 0; begin < offsets.size(); begin += piece) {
    std::size_t const count = std::min(piece, offsets.size() - begin);
    std::int64_t const* const at = offsets.block(begin, count, buffer);
    for (std::size_t i = 0; i < count; ++i) {
      std::size_t const index = begin + i;
      if (at[i] < before || static_cast<std::uint64_t>(at[i]) > n || (index == 0 && at[i] != 0)) {
        fail(where,
             {names.offsets, "[", text(index), "] is ", std::to_string(at[i]),
              index == 0 ? ", expected 0" : ", expected a number from " + std::to_string(before) + " to " + text(n)});
      }
      if (index != 0) size_of(index - 1, static_cast<std::size_t>(at[i] - before));
      before = at[i];
    }
  }
  if (static_cast<std::size_t>(before) != n) {
    fail(where, {names.offsets, " end at ", std::to_string(before), ", ", names.spanned, " has ", elements(n)});
  }
}

inline void check_offsets(std::string_view where, column<std::int64_t> const& offsets, std::size_t n) {
  check_offsets(where, offsets, n, [](std::size_t, std::size_t) {});
}

}  // namespace prefopt::inline PREFOPT_ABI::detail
