#pragma once

#include <cmath>
#include <prefopt/batch/report.hpp>
#include <prefopt/core/all_reduce.hpp>
#include <prefopt/core/errors.hpp>
#include <ranges>
#include <span>
#include <string>

namespace prefopt::inline PREFOPT_ABI {

/// A mean over all that was ever added: delta of bco and bco_pair, the mean of the rewards beta a of both labels.
///     add(mean, count)   mean <- mean + (mean' - mean) count / (all counts), each example alike: TRL
///     add_batch(mean)    the same with count 1, each batch alike: ms-swift, LLaMA-Factory
/// Before the first addition the mean is 0. Add in training before the loss, from an evaluation without outputs say,
/// and not in validation.
///     add(report)              of pairs: both sides' mean rewards, twice the count. An evaluation over ranks reports
///                              all of them, so that every rank adds the same
///     add(rewards)             float or double, of single completions: the output `reward`. A report has the means of
///                              both labels, but not how many completions each has
///     add(rewards, report)     where some may have been left out: their rewards are 0, and the report does not count them
///     add(rewards, all_reduce) the rewards of all ranks; one call with two numbers, on every rank
/// Throws std::invalid_argument, with the mean unchanged, for what is not finite, on every rank alike, and for
/// rewards that are not as many as the report's.
///     source    arXiv:2404.04656; TRL's RunningMoments
class running_mean {
 public:
  /// What is to be saved.
  struct numbers {
    double mean = 0, count = 0;
  };

  running_mean() = default;
  explicit running_mean(numbers const& saved) { restore(saved); }

  [[nodiscard]] double mean() const noexcept { return state_.mean; }
  [[nodiscard]] double count() const noexcept { return state_.count; }
  [[nodiscard]] numbers state() const noexcept { return state_; }

  /// Continues from saved numbers.
  void restore(numbers const& saved) {
    check(saved.mean, saved.count);
    state_ = saved;
  }

  void add(double mean, double count) {
    check(mean, count);
    if (count == 0) return;
    state_.count += count;
    state_.mean += (mean - state_.mean) * (count / state_.count);
  }

  void add_batch(double mean) { add(mean, 1); }

  void add(report const& pairs) {
    add(0.5 * pairs.chosen_reward + 0.5 * pairs.rejected_reward, 2 * static_cast<double>(pairs.count));
  }

  template <std::ranges::contiguous_range Values>
  void add(Values const& values) {
    add(values, prefopt::all_reduce{});
  }

  template <std::ranges::contiguous_range Values, sum_all_reduce F>
  void add(Values const& values, F&& all_reduce) {
    double sums[2]{sum_of(values), static_cast<double>(std::ranges::size(values))};
    all_reduce(std::span<double>{sums});
    if (sums[1] != 0) add(sums[0] / sums[1], sums[1]);
  }

  /// Of an evaluation over ranks, which reports all of them, add(rewards, all_reduce) is the one to take.
  template <std::ranges::contiguous_range Values>
  void add(Values const& values, report const& seen) {
    if (seen.count + seen.skipped != std::ranges::size(values)) {
      detail::fail("running_mean", "there are " + std::to_string(std::ranges::size(values)) +
                                       " rewards, the report is of " + std::to_string(seen.count + seen.skipped));
    }
    if (seen.count != 0) add(sum_of(values) / static_cast<double>(seen.count), static_cast<double>(seen.count));
  }

 private:
  template <class Values>
  static double sum_of(Values const& values) noexcept {
    double sum = 0;
    for (auto const value : values) sum += static_cast<double>(value);
    return sum;
  }

  static void check(double mean, double count) {
    if (!std::isfinite(mean)) {
      detail::fail("running_mean", "the mean is " + detail::text(mean) + ", expected a finite number");
    }
    if (!(count >= 0) || !std::isfinite(count)) {
      detail::fail("running_mean", "the count is " + detail::text(count) + ", expected a finite number >= 0");
    }
  }

  numbers state_;
};

}  // namespace prefopt::inline PREFOPT_ABI
