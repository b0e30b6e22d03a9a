#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

/// Sequences of token ids, one behind the other. None sees another, but what stands before the first offset is the
/// beginning of each of them: a prompt with its answers.
struct packed_tokens {
  std::span<std::int32_t const> ids;
  std::span<std::size_t const> offsets;  ///< where each begins, and the end of the last: one more than sequences

  [[nodiscard]] std::size_t sequences() const { return offsets.empty() ? 0 : offsets.size() - 1; }
  [[nodiscard]] std::size_t shared() const { return offsets.empty() ? 0 : offsets.front(); }
};
