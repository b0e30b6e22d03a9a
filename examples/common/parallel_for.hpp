#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

/// Calls task(i) once for every i in [0, count) on at most that many threads, and after each finished(done), one at a
/// time. The first exception ends the loop and is thrown here.
template <class Task, class Finished>
void parallel_for(std::size_t count, std::size_t threads, Task const& task, Finished const& finished) {
  std::atomic<std::size_t> next{0};
  std::size_t done = 0;
  std::exception_ptr failure;
  std::mutex mutex;
  auto const work = [&] {
    for (std::size_t i = next++; i < count; i = next++) {
      try {
        task(i);
        std::scoped_lock const lock{mutex};
        finished(++done);
      } catch (...) {
        std::scoped_lock const lock{mutex};
        if (!failure) failure = std::current_exception();
        next = count;
      }
    }
  };
  {
    std::vector<std::jthread> others;
    for (std::size_t i = 1; i < std::min(threads, count); ++i) others.emplace_back(work);
    work();
  }
  if (failure) std::rethrow_exception(failure);
}
