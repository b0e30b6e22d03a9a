#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <prefopt/engine/pair_engine.hpp>
#include <prefopt/batch/groups.hpp>

namespace prefopt::inline PREFOPT_ABI::detail {

/// The groups of a batch in parts that can be run at once. Their bounds depend on the offsets alone.
template <class T>
class list_parts {
 public:
  explicit list_parts(list_batch<T> const& batch) noexcept
      : offsets_{batch.offsets}, groups_{batch.offsets.size() - 1} {
    // A group costs about as much as a few candidates.
    work_ = batch.logp.size() + 4 * groups_;
    count_ = groups_ == 0 ? 0 : std::clamp<std::size_t>(work_ / 16384, 1, most_parts);
  }
  [[nodiscard]] std::size_t count() const noexcept { return count_; }
  /// The first group of a part.
  [[nodiscard]] std::size_t begin(std::size_t part) const noexcept {
    if (part == 0) return 0;
    if (part == count_) return groups_;
    std::size_t const share = work_ / count_ * part;
    std::size_t low = 0, high = groups_;
    while (low < high) {
      std::size_t const middle = low + (high - low) / 2;
      if (static_cast<std::size_t>(offsets_[middle]) + 4 * middle < share) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }

 private:
  column<std::int64_t> offsets_;
  std::size_t groups_, work_, count_;
};

/// Groups are looked at, and sorted by size, this many at a time.
inline constexpr std::size_t window_groups = 1024;

/// Calls body(first, count, offsets) for the groups [begin, end) in windows.
template <class Body>
void for_each_window(column<std::int64_t> const& offsets, std::size_t begin, std::size_t end,
                     Body const& body) noexcept {
  std::int64_t buffer[window_groups + 1];
  for (std::size_t first = begin; first < end; first += window_groups) {
    std::size_t const count = std::min(window_groups, end - first);
    body(first, count, offsets.block(first, count + 1, buffer));
  }
}

/// Values of a column for a group: in place if they lie so, else packed in pieces into a buffer.
template <class T, class F>
void for_each_piece(column<T> const& values, std::size_t begin, std::size_t size, F const& f) noexcept {
  constexpr std::size_t piece = 256;
  T buffer[piece];
  for (std::size_t i = 0; i < size; i += piece) {
    std::size_t const count = std::min(piece, size - i);
    f(values.block(begin + i, count, buffer), count);
  }
}

}  // namespace prefopt::inline PREFOPT_ABI::detail
