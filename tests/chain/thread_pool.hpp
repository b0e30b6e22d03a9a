#pragma once

#include <cstddef>
#include <mutex>
#include <prefopt/core/executor.hpp>
#include <thread>
#include <vector>

/// Runs the parts on `count` threads, last part first.
struct thread_pool {
  std::size_t count = 1;

  void operator()(std::size_t parts, prefopt::executor::task const& work) const {
    std::mutex mutex;
    auto const worker = [&] {
      for (;;) {
        std::size_t part = 0;
        {
          std::lock_guard const lock{mutex};
          if (parts == 0) return;
          part = --parts;
        }
        work(part);
      }
    };
    std::vector<std::thread> others;
    for (std::size_t i = 1; i < count; ++i) others.emplace_back(worker);
    worker();
    for (auto& other : others) other.join();
  }
};
