#pragma once

#include <cstddef>
#include <prefopt/core/executor.hpp>

#include "parallel_for.hpp"

/// Runs the parts of a call of the library on so many threads: {.executor = threads}.
struct worker_threads {
  std::size_t count = 1;

  void operator()(std::size_t parts, prefopt::executor::task const& task) const {
    parallel_for(parts, count, task, [](std::size_t) {});
  }
};
