#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <mutex>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

/// Data-parallel ranks as threads. Where an all-reduce over machines would hang, because a rank ends or waits without
/// making the call that the others are in, this one throws rank_group::hang in all of them.
class rank_group {
 public:
  struct hang : std::logic_error {
    using std::logic_error::logic_error;
  };

  explicit rank_group(std::size_t ranks) : ranks_{ranks} {}

  /// Replaces the values by their sums over all ranks, added in no fixed order.
  void sum(std::span<double> values) {
    std::unique_lock lock{mutex_};
    if (arrived_ == 0) {
      totals_.assign(values.size(), 0.0);
    } else if (totals_.size() != values.size()) {
      give_up("ranks add up vectors of different sizes");
    }
    for (std::size_t i = 0; i < values.size() && error_.empty(); ++i) totals_[i] += values[i];
    ++arrived_;
    std::size_t const round = round_;
    check_for_ended();
    if (arrived_ == ranks_) {
      arrived_ = 0;
      ++round_;
      results_ = totals_;
      changed_.notify_all();
    } else if (!changed_.wait_for(lock, longest_wait, [&] { return round_ != round || !error_.empty(); })) {
      give_up("a rank does not make the call that the others wait in");
    }
    if (round_ == round) throw hang{error_};
    // No rank can begin the round after the next before this one has left.
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = results_[i];
  }

  /// A rank that makes no more calls.
  void end() {
    std::lock_guard const lock{mutex_};
    ++ended_;
    check_for_ended();
  }

 private:
  static constexpr std::chrono::seconds longest_wait{30};

  void check_for_ended() {
    if (arrived_ != 0 && ended_ != 0) give_up("a rank has ended without the call that the others wait in");
  }
  void give_up(char const* why) {
    if (error_.empty()) error_ = why;
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t ranks_, arrived_ = 0, ended_ = 0, round_ = 0;
  std::vector<double> totals_, results_;
  std::string error_;
};

/// One rank's all-reduce, which counts its calls.
struct rank_sum {
  rank_group* group = nullptr;
  std::size_t calls = 0, values = 0;

  void operator()(std::span<double> of_rank) {
    ++calls;
    values = of_rank.size();
    group->sum(of_rank);
  }
};

/// What became of a rank.
struct rank_outcome {
  std::string error = "no error";
  bool hung = false;
  std::size_t calls = 0;   ///< of its all-reduce
  std::size_t values = 0;  ///< in the last of them
};

/// Runs body(rank, sum) on every rank at once. Nothing is asserted in there: Catch2 is for one thread.
template <class Body>
std::vector<rank_outcome> run_ranks(std::size_t ranks, Body const& body) {
  rank_group group{ranks};
  std::vector<rank_outcome> outcomes(ranks);
  std::vector<std::thread> threads;
  for (std::size_t rank = 0; rank < ranks; ++rank) {
    threads.emplace_back([&, rank] {
      rank_sum sum{&group};
      auto& outcome = outcomes[rank];
      try {
        body(rank, sum);
      } catch (rank_group::hang const& hang) {
        outcome.error = hang.what();
        outcome.hung = true;
      } catch (std::exception const& error) {
        outcome.error = error.what();
      } catch (...) {
        outcome.error = "something that is no std::exception";
      }
      outcome.calls = sum.calls;
      outcome.values = sum.values;
      group.end();
    });
  }
  for (auto& thread : threads) thread.join();
  return outcomes;
}
