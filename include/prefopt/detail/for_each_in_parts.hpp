#pragma once

#include <algorithm>
#include <cstddef>
#include <prefopt/executor.hpp>

namespace prefopt::inline PREFOPT_ABI::detail {

/// Runs f(i) for i in [0, count) in at most 64 parts of at least `smallest`, which the executor may run at once.
template <class F>
void for_each_in_parts(std::size_t count, std::size_t smallest, executor const& run, F const& f) {
  constexpr std::size_t most = 64;
  std::size_t const length = std::max({(count + most - 1) / most, smallest, std::size_t{1}});
  auto const part = [&](std::size_t index) noexcept {
    std::size_t const end = std::min(count, (index + 1) * length);
    for (std::size_t i = index * length; i < end; ++i) f(i);
  };
  run((count + length - 1) / length, executor::task{part});
}

}  // namespace prefopt::inline PREFOPT_ABI::detail
