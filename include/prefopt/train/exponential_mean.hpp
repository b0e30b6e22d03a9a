#pragma once

#include <algorithm>
#include <cmath>
#include <prefopt/core/all_reduce.hpp>
#include <prefopt/core/errors.hpp>
#include <ranges>
#include <span>
#include <string>

namespace prefopt::inline PREFOPT_ABI {

/// Exponential moving averages of a mean and of a standard deviation: mean and deviation of alpha_dpo, offset of
/// beta_dpo, and what beta-DPO draws its pairs by.
///     average <- weight average + (1 - weight) value of the batch; the first update sets both. Before it: 0 and 1
///     update(values)              mean and sample deviation, divided by n - 1, of float or double. One value has no
///                                 deviation: that average stays; no value changes nothing
///     update(values, all_reduce)  of all ranks' values; two calls, with two numbers and with one, on every rank
///     update(mean, deviation)     as the host knows them
/// alpha_dpo: update with h before the loss. beta_dpo: update with h after it.
/// The authors' averages begin at 0, and are short by a factor 1 - weight^updates: restore({0, 0, 1, 1}) does so, too.
/// Throws std::invalid_argument, with the averages unchanged, for what is not finite: on every rank alike.
///     source    arXiv:2407.08639, arXiv:2410.10148, and the authors' code of both
class exponential_mean {
 public:
  /// What is to be saved: how often each average was brought up to date, too.
  struct numbers {
    double mean = 0, deviation = 1, means = 0, deviations = 0;
  };

  /// deviation() is at least `lowest`: where policy and reference are the same there is none, and alpha_dpo divides by
  /// it. Throws std::invalid_argument unless weight in [0, 1), lowest > 0.
  explicit exponential_mean(double weight = 0.9, double lowest = 1e-6) : weight_{weight}, lowest_{lowest} {
    if (!(weight >= 0 && weight < 1)) fail("weight is " + detail::text(weight) + ", expected a number in [0, 1)");
    if (!(lowest > 0) || !std::isfinite(lowest)) {
      fail("lowest is " + detail::text(lowest) + ", expected a finite number > 0");
    }
  }

  [[nodiscard]] double mean() const noexcept { return state_.mean; }
  [[nodiscard]] double deviation() const noexcept { return std::max(state_.deviation, lowest_); }
  [[nodiscard]] numbers state() const noexcept { return state_; }

  /// Continues from saved numbers.
  void restore(numbers const& saved) {
    check(saved.mean, saved.deviation);
    if (!(saved.means >= 0 && saved.deviations >= 0)) fail("restore: the number of updates is below 0");
    state_ = saved;
  }

  void update(double mean, double deviation) {
    check(mean, deviation);
    follow(state_.mean, state_.means, mean);
    follow(state_.deviation, state_.deviations, deviation);
  }

  template <std::ranges::contiguous_range Values>
  void update(Values const& values) {
    update(values, prefopt::all_reduce{});
  }

  template <std::ranges::contiguous_range Values, sum_all_reduce F>
  void update(Values const& values, F&& all_reduce) {
    double sums[2]{0, static_cast<double>(std::ranges::size(values))}, squares[1]{0};
    for (auto const value : values) sums[0] += static_cast<double>(value);
    all_reduce(std::span<double>{sums});
    double const count = sums[1], mean = count == 0 ? 0 : sums[0] / count;
    for (auto const value : values) {
      double const off = static_cast<double>(value) - mean;
      squares[0] += off * off;
    }
    all_reduce(std::span<double>{squares});
    if (count == 0) return;
    if (count > 1) {
      update(mean, std::sqrt(squares[0] / (count - 1)));
    } else {
      check(mean, 0);
      follow(state_.mean, state_.means, mean);
    }
  }

 private:
  [[noreturn]] static void fail(std::string const& what) { detail::fail("exponential_mean", what); }

  static void check(double mean, double deviation) {
    if (!std::isfinite(mean)) fail("the mean is " + detail::text(mean) + ", expected a finite number");
    if (!(deviation >= 0) || !std::isfinite(deviation)) {
      fail("the deviation is " + detail::text(deviation) + ", expected a finite number >= 0");
    }
  }

  void follow(double& average, double& updates, double value) const noexcept {
    average = updates == 0 ? value : weight_ * average + (1 - weight_) * value;
    updates += 1;
  }

  numbers state_;
  double weight_, lowest_;
};

}  // namespace prefopt::inline PREFOPT_ABI
