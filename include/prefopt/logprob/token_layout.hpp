#pragma once

#include <cstddef>
#include <cstdint>
#include <prefopt/core/abi.hpp>
#include <vector>

namespace prefopt::inline PREFOPT_ABI {

/// Which tokens make a sequence, and which of them count.
struct token_layout {
  std::vector<std::int64_t> offsets{0};  ///< sequences + 1 entries
  std::vector<unsigned char> counted{};  ///< one a token: not 0 where it belongs to the completion
  std::vector<double> weight{};          ///< one a token: a factor of its log-prob; none: 1

  [[nodiscard]] std::size_t sequences() const noexcept { return offsets.size() - 1; }
  [[nodiscard]] std::size_t tokens() const noexcept { return counted.size(); }
};

}  // namespace prefopt::inline PREFOPT_ABI
