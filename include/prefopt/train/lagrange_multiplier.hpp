#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <prefopt/core/errors.hpp>
#include <prefopt/view/column.hpp>
#include <string>
#include <type_traits>

namespace prefopt::inline PREFOPT_ABI {

/// The multiplier of Safe RLHF's constraint, mean cost <= threshold, in the policy's objective.
///     lambda = e^kappa,  update: kappa <- kappa + rate (mean cost - threshold) lambda, at most log highest
///     advantage  A = (A_reward - lambda A_cost) / (1 + lambda); lambda is constant in the policy's gradient
///     special    lambda = 0 gives A_reward and stays 0; a mean cost at the threshold leaves lambda as it is
///     source     Dai et al. 2023, arXiv:2310.12773; settings: align-anything, saferlhf.yaml
/// One step of gradient ascent by kappa. The mean cost is the host's, of a window of episodes and of all ranks.
class lagrange_multiplier {
 public:
  struct settings {
    double initial = 10;      ///< lambda at first, in [0, highest]
    double highest = 20;      ///< > 0
    double rate = 0.1;        ///< >= 0
    double threshold = -0.5;  ///< of the mean cost
  };

  /// Throws std::invalid_argument for settings out of range, which all have to be finite.
  explicit lagrange_multiplier(settings const& given) : settings_{given} {
    auto const expect = [](char const* name, double value, bool is_right, char const* expected) {
      if (is_right && std::isfinite(value)) return;
      fail(std::string{name} + " is " + detail::text(value) + ", expected " + expected);
    };
    expect("highest", given.highest, given.highest > 0, "a finite number > 0");
    expect("rate", given.rate, given.rate >= 0, "a finite number >= 0");
    expect("threshold", given.threshold, true, "a finite number");
    restore(given.initial);
  }
  lagrange_multiplier() : lagrange_multiplier(settings{}) {}

  /// lambda: what is to be saved.
  [[nodiscard]] double value() const noexcept { return lambda_; }

  /// Continues from a saved value.
  void restore(double lambda) {
    if (!(lambda >= 0 && lambda <= settings_.highest)) {
      fail("lambda is " + detail::text(lambda) + ", expected a number in [0, " + detail::text(settings_.highest) + "]");
    }
    lambda_ = lambda;
  }

  void update(double mean_cost) {
    if (!std::isfinite(mean_cost)) {
      fail("update: the mean cost is " + detail::text(mean_cost) + ", expected a finite number");
    }
    if (lambda_ == 0) return;
    double const step = settings_.rate * (mean_cost - settings_.threshold) * lambda_;
    // What would be 0 or subnormal could not rise again.
    constexpr double lowest = 1e-300;
    lambda_ = std::clamp(lambda_ * std::exp(step), std::min(lowest, settings_.highest), settings_.highest);
  }

  [[nodiscard]] double advantage(double of_reward, double of_cost) const noexcept {
    return lambda_ == 0 ? of_reward : (of_reward - lambda_ * of_cost) / (1 + lambda_);
  }

  /// The same of columns of one size. `combined` may be the memory of either.
  template <class T>
  void advantages(column<T> const& of_reward, std::type_identity_t<column<T>> const& of_cost,
                  std::type_identity_t<output<T>> const& combined) const {
    auto const expect = [&](char const* name, std::size_t size) {
      if (size == of_reward.size()) return;
      fail(std::string{"advantages: "} + name + " has " + detail::elements(size) + ", the reward's has " +
           detail::text(of_reward.size()));
    };
    expect("the cost's", of_cost.size());
    expect("the output", combined.size());
    for (std::size_t i = 0; i < of_reward.size(); ++i) {
      detail::put(combined, i, advantage(static_cast<double>(of_reward[i]), static_cast<double>(of_cost[i])));
    }
  }

 private:
  [[noreturn]] static void fail(std::string const& what) { detail::fail("lagrange_multiplier", what); }

  settings settings_;
  double lambda_ = 0;
};

}  // namespace prefopt::inline PREFOPT_ABI
