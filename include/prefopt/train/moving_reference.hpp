#pragma once

#include <cmath>
#include <concepts>
#include <cstddef>
#include <deque>
#include <limits>
#include <numeric>
#include <prefopt/core/errors.hpp>
#include <prefopt/train/policy.hpp>
#include <prefopt/view/column.hpp>
#include <ranges>
#include <string>
#include <type_traits>
#include <vector>

namespace prefopt::inline PREFOPT_ABI {

/// Follows the policy by a hard copy after every `steps` updates.
struct copy_every {
  std::size_t steps = 100;  ///< >= 1; 1 keeps the anchor at the policy of the step before
};

/// Follows the policy's parameters by an exponential moving average, anchor = decay anchor + (1 - decay) policy, at
/// every update. Of the parameters, not of log-probs.
struct follow_average {
  double decay = 0.99;  ///< in [0, 1)
};

/// A hard copy when the mean of the last `window` KL divergences from the anchor exceeds the threshold; then the window
/// begins anew.
struct copy_when_far {
  double threshold = 0.1;   ///< > 0, nats
  std::size_t window = 10;  ///< >= 1
};

/// A policy whose parameters can be averaged: `parameters()` is a range of contiguous ranges of numbers, in the same
/// order for every copy. Of a policy that is not const they are the parameters themselves, by reference or by views
/// (std::span, Eigen::Map), and not copies.
template <class Policy>
concept has_parameters = requires(Policy& policy) {
  requires std::ranges::range<decltype(policy.parameters())>;
  requires std::ranges::range<std::ranges::range_reference_t<decltype(policy.parameters())>>;
};

namespace detail {

/// Ranges whose elements, and their numbers, outlive them: a view of parameters, or a reference to a container.
template <class Ranges, class Part = std::ranges::range_reference_t<Ranges>>
concept refers_to_parameters = viewable_vector<std::remove_cvref_t<Part>> ||
    std::ranges::borrowed_range<std::remove_cvref_t<Part>> ||
    (std::is_lvalue_reference_v<Part> && (std::ranges::borrowed_range<Ranges> || std::ranges::view<Ranges>));

}  // namespace detail

/// An anchor that follows the policy: a copy of it, moved by a schedule. Call `update` once after every step of the
/// optimizer. Copying and assigning the policy must copy its weights; where it is a handle (a torch module, a pointer),
/// wrap it in a type that does. Throws std::invalid_argument for a schedule or saved numbers out of range, and for
/// parameters that the policy and the anchor do not have alike, with the anchor unchanged.
template <class Policy, class Schedule>
class moving_reference {
 public:
  /// What is to be saved, beside the anchor's own parameters.
  struct numbers {
    std::size_t updates = 0;            ///< of copy_every, since the last copy
    std::vector<double> divergences{};  ///< of copy_when_far, since the last copy, the oldest first
  };

  moving_reference(Policy const& start, Schedule const& schedule) : anchor_{start}, schedule_{schedule} { check(); }

  template <class Batch, class LogProbs>
    requires(detail::gives_log_probs<Policy const, Batch, LogProbs>)
  void log_probs(Batch const& batch, LogProbs const& out) const { anchor_.log_probs(batch, out); }
  template <class Batch, class LogProbs>
    requires(detail::gives_log_probs<Policy, Batch, LogProbs>)
  void log_probs(Batch const& batch, LogProbs const& out) { anchor_.log_probs(batch, out); }

  /// True if the anchor moved.
  bool update(Policy const& policy) requires(!std::same_as<Schedule, copy_when_far>) {
    if constexpr (std::same_as<Schedule, copy_every>) {
      if (++since_ < schedule_.steps) return false;
      return copy(policy);
    } else {
      static_assert(has_parameters<Policy> && has_parameters<Policy const>,
                    "an average needs the policy's parameters()");
      static_assert(detail::refers_to_parameters<decltype(anchor_.parameters())>,
                    "parameters() returns copies, whose average would be lost: return views of them");
      average(policy);
      return true;
    }
  }

  /// With the divergence of the policy from this anchor in nats, however the host estimates it; a NaN or an infinity is
  /// far.
  bool update(Policy const& policy, double kl) requires(std::same_as<Schedule, copy_when_far>) {
    last_.push_back(std::isfinite(kl) ? kl : std::numeric_limits<double>::infinity());
    if (last_.size() > schedule_.window) last_.pop_front();
    if (last_.size() < schedule_.window) return false;
    double const mean = std::accumulate(last_.begin(), last_.end(), 0.0) / static_cast<double>(last_.size());
    return mean > schedule_.threshold && copy(policy);
  }

  [[nodiscard]] Policy const& policy() const noexcept { return anchor_; }
  [[nodiscard]] numbers state() const { return {since_, {last_.begin(), last_.end()}}; }

  /// Continues from saved numbers, with the anchor that this one began with.
  void restore(numbers const& saved) {
    auto const fail = [](std::string const& what) { detail::fail("moving_reference", "restore: " + what); };
    std::size_t updates = 0, divergences = 0;
    if constexpr (std::same_as<Schedule, copy_every>) updates = schedule_.steps - 1;
    if constexpr (std::same_as<Schedule, copy_when_far>) divergences = schedule_.window;
    if (saved.updates > updates) {
      fail(detail::text(saved.updates) + " updates since the last copy, expected at most " + detail::text(updates));
    }
    if (saved.divergences.size() > divergences) {
      fail(detail::text(saved.divergences.size()) + " divergences, expected at most " + detail::text(divergences));
    }
    for (double const kl : saved.divergences) {
      if (std::isnan(kl)) fail("a divergence is nan, expected a number");
    }
    since_ = saved.updates;
    last_.assign(saved.divergences.begin(), saved.divergences.end());
  }

 private:
  void check() const {
    if constexpr (std::same_as<Schedule, copy_every>) {
      if (schedule_.steps == 0) detail::fail("copy_every", "steps is 0, expected at least 1");
    } else if constexpr (std::same_as<Schedule, follow_average>) {
      if (!(schedule_.decay >= 0 && schedule_.decay < 1)) {
        detail::fail("follow_average", "decay is " + detail::text(schedule_.decay) + ", expected a number in [0, 1)");
      }
    } else {
      static_assert(std::same_as<Schedule, copy_when_far>, "copy_every, follow_average or copy_when_far");
      if (!(schedule_.threshold > 0)) {
        detail::fail("copy_when_far", "threshold is " + detail::text(schedule_.threshold) + ", expected a number > 0");
      }
      if (schedule_.window == 0) detail::fail("copy_when_far", "window is 0, expected at least 1");
    }
  }

  bool copy(Policy const& policy) {
    anchor_ = policy;
    restore({});
    return true;
  }

  void average(Policy const& policy) {
    auto&& into = anchor_.parameters();
    auto&& from = policy.parameters();
    auto const sizes = [](auto&& parts) {
      std::vector<std::ptrdiff_t> all;
      for (auto&& part : parts) all.push_back(std::ranges::distance(part));
      return all;
    };
    auto const anchor_sizes = sizes(into), policy_sizes = sizes(from);
    if (anchor_sizes != policy_sizes) {
      auto const count = [](auto const& all) {
        return detail::text(static_cast<std::size_t>(std::accumulate(all.begin(), all.end(), std::ptrdiff_t{}))) +
               " parameters in " + detail::text(all.size()) + " parts";
      };
      detail::fail("follow_average", "the policy has " + count(policy_sizes) + ", the anchor " + count(anchor_sizes) +
                                         ", expected parts of the same sizes");
    }
    auto source = std::ranges::begin(from);
    for (auto&& part : into) {
      auto&& read = *source;
      auto value = std::ranges::begin(read);
      for (auto& x : part) {
        using number = std::remove_cvref_t<decltype(x)>;
        static_assert(std::floating_point<number>,
                      "16 bits would round a slow average away: keep its parameters as float");
        x = static_cast<number>(schedule_.decay * static_cast<double>(x) +
                                (1 - schedule_.decay) * static_cast<double>(*value));
        ++value;
      }
      ++source;
    }
  }

  Policy anchor_;
  Schedule schedule_;
  std::size_t since_ = 0;
  std::deque<double> last_;
};

template <class Policy, class Schedule>
moving_reference(Policy, Schedule) -> moving_reference<Policy, Schedule>;

}  // namespace prefopt::inline PREFOPT_ABI
