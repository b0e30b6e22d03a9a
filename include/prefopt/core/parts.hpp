#pragma once

#include <algorithm>
#include <cstddef>
#include <prefopt/core/executor.hpp>

namespace prefopt::inline PREFOPT_ABI::detail {

/// At most this many parts can be run at once.
inline constexpr std::size_t most_parts = 64;

/// Work of a size in parts that can be run at once: their number and bounds depend on the size alone, so that bits do
/// not depend on the number of threads. Each has a multiple of `unit`, at least `least` units; the last one what is left.
struct parts {
  std::size_t size, length, count;

  constexpr explicit parts(std::size_t n, std::size_t least = 1, std::size_t unit = 1) noexcept : size{n} {
    std::size_t const units = (n + unit - 1) / unit;
    length = std::max({(units + most_parts - 1) / most_parts, least, std::size_t{1}}) * unit;
    count = n <= length ? std::size_t{n != 0} : (n + length - 1) / length;
  }

  [[nodiscard]] constexpr std::size_t begin(std::size_t part) const noexcept { return part * length; }
  [[nodiscard]] constexpr std::size_t end(std::size_t part) const noexcept {
    return std::min(size, (part + 1) * length);
  }
};

/// Runs f(begin, end) over [0, count) in parts of at least `least`, which the executor may run at once.
template <class F>
void in_parts(std::size_t count, std::size_t least, executor const& run, F const& f) {
  parts const split{count, least};
  auto const part = [&](std::size_t index) noexcept { f(split.begin(index), split.end(index)); };
  run(split.count, executor::task{part});
}

/// The same, one by one.
template <class F>
void for_each_in_parts(std::size_t count, std::size_t least, executor const& run, F const& f) {
  in_parts(count, least, run, [&](std::size_t begin, std::size_t end) noexcept {
    for (std::size_t i = begin; i < end; ++i) f(i);
  });
}

}  // namespace prefopt::inline PREFOPT_ABI::detail
