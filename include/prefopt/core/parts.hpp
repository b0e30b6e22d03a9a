#pragma once

#include <algorithm>
#include <cstddef>
#include <prefopt/core/executor.hpp>

namespace prefopt::inline PREFOPT_ABI::detail {

/// Runs f(begin, end) over [0, count) in at most 64 parts of at least `smallest`, which the executor may run at once.
template <class F>
void in_parts(std::size_t count, std::size_t smallest, executor const& run, F const& f) {
  constexpr std::size_t most = 64;
  std::size_t const length = std::max({(count + most - 1) / most, smallest, std::size_t{1}});
  auto const part = [&](std::size_t index) noexcept { f(index * length, std::min(count, (index + 1) * length)); };
  run((count + length - 1) / length, executor::task{part});
}

/// The same, one by one.
template <class F>
void for_each_in_parts(std::size_t count, std::size_t smallest, executor const& run, F const& f) {
  in_parts(count, smallest, run, [&](std::size_t begin, std::size_t end) noexcept {
    for (std::size_t i = begin; i < end; ++i) f(i);
  });
}

}  // namespace prefopt::inline PREFOPT_ABI::detail
