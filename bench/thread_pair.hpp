#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <prefopt/core/executor.hpp>
#include <thread>

/// An executor of two threads: the caller's takes the first half of the parts, a second one the rest. The same part
/// always runs on the same thread, so that what it left in the cache is still there.
class thread_pair {
 public:
  thread_pair() : second_{[this](std::stop_token const& stop) { serve(stop); }} {}
  thread_pair(thread_pair const&) = delete;
  thread_pair& operator=(thread_pair const&) = delete;
  ~thread_pair() {
    second_.request_stop();
    begin_round();
  }

  void operator()(std::size_t parts, prefopt::executor::task const& task) {
    task_ = &task;
    parts_ = parts;
    begin_round();
    for (std::size_t i = 0; i < parts / 2; ++i) task(i);
    await(done_, begun_.load(std::memory_order_relaxed));
  }

 private:
  void begin_round() {
    begun_.fetch_add(1, std::memory_order_release);
    begun_.notify_one();
  }

  void serve(std::stop_token const& stop) {
    for (unsigned round = 1;; ++round) {
      await(begun_, round);
      if (stop.stop_requested()) return;
      for (std::size_t i = parts_ / 2; i < parts_; ++i) (*task_)(i);
      done_.store(round, std::memory_order_release);
      done_.notify_one();
    }
  }

  /// Watches for a while before it sleeps: to be woken takes longer than a small task.
  static void await(std::atomic<unsigned> const& value, unsigned expected) {
    auto const patience = std::chrono::steady_clock::now() + std::chrono::milliseconds{1};
    for (unsigned seen; (seen = value.load(std::memory_order_acquire)) != expected;) {
      if (std::chrono::steady_clock::now() > patience) value.wait(seen, std::memory_order_acquire);
    }
  }

  std::atomic<unsigned> begun_ = 0, done_ = 0;
  prefopt::executor::task const* task_ = nullptr;
  std::size_t parts_ = 0;
  std::jthread second_;
};
