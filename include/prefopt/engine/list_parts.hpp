#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <prefopt/batch/groups.hpp>
#include <prefopt/core/parts.hpp>

namespace prefopt::inline PREFOPT_ABI::detail {

/// The groups of a batch in parts that can be run at once. Their bounds depend on the offsets alone.
class list_parts {
 public:
  list_parts(column<std::int64_t> const& offsets, std::size_t items) noexcept
      : offsets_{offsets}, groups_{offsets.size() - 1} {
    // A group costs about as much as a few candidates.
    work_ = items + 4 * groups_;
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

/// Whether weights come one a candidate and not one a group.
template <class T>
bool is_flat(column<T> const& weight, std::size_t groups) noexcept {
  return weight.is_given() && weight.size() != groups;
}

/// A group's weight. Of an empty group with none of its own, 0.
template <class T>
T weight_of(column<T> const& weight, std::size_t groups, std::size_t group, std::size_t begin,
            std::size_t size) noexcept {
  if (!weight.is_given()) return T(1);
  if (!is_flat(weight, groups)) return weight[group];
  return size == 0 ? T(0) : weight[begin];
}

}  // namespace prefopt::inline PREFOPT_ABI::detail
