#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <prefopt/core/executor.hpp>

// Apart from parts.hpp, whose includer need not compile <atomic>.

namespace prefopt::inline PREFOPT_ABI::detail {

/// Runs f(begin, count) over [0, size) in parts of `length`. What one of them throws is thrown when all are done; parts
/// that have not begun are then left out.
template <class F>
void in_parts_that_throw(std::size_t size, std::size_t length, executor const& run, F const& f) {
  std::size_t const count = (size + length - 1) / length;
  auto const call = [&](std::size_t part) { f(part * length, std::min(length, size - part * length)); };
#if defined(__cpp_exceptions)
  std::atomic_flag failed{};
  std::exception_ptr error;
  auto const part = [&](std::size_t index) noexcept {
    if (failed.test()) return;
    try {
      call(index);
    } catch (...) {
      if (!failed.test_and_set()) error = std::current_exception();
    }
  };
  run(count, executor::task{part});
  if (error) std::rethrow_exception(error);
#else
  auto const part = [&](std::size_t index) noexcept { call(index); };
  run(count, executor::task{part});
#endif
}

}  // namespace prefopt::inline PREFOPT_ABI::detail
