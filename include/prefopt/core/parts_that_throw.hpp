#pragma once

#include <atomic>
#include <cstddef>
#include <exception>
#include <prefopt/core/executor.hpp>

namespace prefopt::inline PREFOPT_ABI::detail {

/// Runs f(part) for all parts. What one of them throws is thrown when all are done; parts that have not begun are then
/// left out.
template <class F>
void run_parts_that_throw(std::size_t parts, executor const& run, F const& f) {
#if defined(__cpp_exceptions)
  std::atomic_flag failed{};
  std::exception_ptr error;
  auto const part = [&](std::size_t index) noexcept {
    if (failed.test()) return;
    try {
      f(index);
    } catch (...) {
      if (!failed.test_and_set()) error = std::current_exception();
    }
  };
  run(parts, executor::task{part});
  if (error) std::rethrow_exception(error);
#else
  auto const part = [&](std::size_t index) noexcept { f(index); };
  run(parts, executor::task{part});
#endif
}

}  // namespace prefopt::inline PREFOPT_ABI::detail
