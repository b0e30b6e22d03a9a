#pragma once

#include <algorithm>
#include <cstddef>
#include <prefopt/core/all_reduce.hpp>
#include <prefopt/core/errors.hpp>
#include <ranges>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace prefopt::inline PREFOPT_ABI {

/// The state of lcpo: the reliability eta_k of each annotator, between calls.
///     fill        eta of each pair's annotator into the `reliability` column
///     accumulate  adds the posteriors w of a call to each annotator's sums
///     update      M-step: eta_k <- (1 - rate) eta_k + rate * mean of w_k, for annotators with posteriors; clears the
///                 sums. rate = 1 after a whole pass is the paper's full-batch M-step (eq. 6), otherwise the moving
///                 average (eq. 7)
/// An annotator without posteriors since the last update keeps its eta. eta stays within [1e-6, 1 - 1e-6].
/// The sums of several ranks add up: `update(all_reduce)` does so first.
///     source    arXiv:2509.24159, eq. 6 and 7, algorithm 1
class annotator_reliability {
 public:
  static constexpr double lowest = 1e-6, highest = 1 - 1e-6;

  /// Throws std::invalid_argument unless annotators > 0, initial in [0, 1], rate in (0, 1].
  explicit annotator_reliability(std::size_t annotators = 1, double initial = 0.9, double rate = 0.1)
      : values_(annotators, std::clamp(initial, lowest, highest)), sums_(2 * annotators, 0.0), rate_{rate} {
    if (annotators == 0) fail("annotators is 0, expected at least 1");
    if (!(initial >= 0 && initial <= 1)) fail("initial is " + detail::text(initial) + ", expected a number in [0, 1]");
    if (!(rate > 0 && rate <= 1)) fail("rate is " + detail::text(rate) + ", expected a number in (0, 1]");
  }

  [[nodiscard]] std::span<double const> values() const noexcept { return values_; }

  /// Continues from saved values.
  void assign(std::span<double const> values) {
    if (values.size() != values_.size()) {
      fail("assign: " + detail::text(values.size()) + " values, expected " + detail::text(values_.size()));
    }
    for (double const eta : values) {
      if (!(eta >= 0 && eta <= 1)) fail("assign: a value is " + detail::text(eta) + ", expected a number in [0, 1]");
    }
    std::transform(values.begin(), values.end(), values_.begin(),
                   [](double eta) { return std::clamp(eta, lowest, highest); });
  }

  /// Both are contiguous ranges of one size: integer ids below the number of annotators, and float or double.
  template <std::ranges::contiguous_range Ids, std::ranges::contiguous_range Column>
  void fill(Ids const& annotators, Column&& reliability) const {
    using T = std::ranges::range_value_t<Column>;
    std::span<T> const column{reliability};
    check(annotators, column.size());
    std::transform(std::ranges::begin(annotators), std::ranges::end(annotators), column.begin(),
                   [&](auto id) { return static_cast<T>(values_[static_cast<std::size_t>(id)]); });
  }

  template <std::ranges::contiguous_range Ids, std::ranges::contiguous_range Column>
  void accumulate(Ids const& annotators, Column const& posterior) {
    std::span const ids{annotators};
    std::span const column{posterior};
    check(annotators, column.size());
    for (std::size_t i = 0; i < column.size(); ++i) {
      if (!(column[i] >= 0 && column[i] <= 1)) {
        fail("accumulate: posterior[" + detail::text(i) + "] is " + detail::text(static_cast<double>(column[i])) +
             ", expected a number in [0, 1]");
      }
    }
    for (std::size_t i = 0; i < ids.size(); ++i) {
      auto const annotator = static_cast<std::size_t>(ids[i]);
      sums_[2 * annotator] += static_cast<double>(column[i]);
      sums_[2 * annotator + 1] += 1;
    }
  }

  /// Sum and number of the posteriors of annotator 0, of annotator 1, …
  [[nodiscard]] std::span<double> sums() noexcept { return sums_; }

  /// The M-step over the posteriors of all ranks: adds up their sums first. Every rank gets the same eta.
  template <sum_all_reduce F>
  void update(F&& all_reduce) {
    all_reduce(sums());
    update();
  }

  void update() noexcept {
    for (std::size_t k = 0; k < values_.size(); ++k) {
      double& sum = sums_[2 * k];
      double& count = sums_[2 * k + 1];
      if (count > 0) values_[k] = std::clamp((1 - rate_) * values_[k] + rate_ * (sum / count), lowest, highest);
      sum = count = 0;
    }
  }

 private:
  [[noreturn]] static void fail(std::string const& what) { detail::fail("annotator_reliability", what); }

  template <class Ids>
  void check(Ids const& ids, std::size_t expected) const {
    std::span const annotators{ids};
    if (annotators.size() != expected) {
      fail(detail::text(annotators.size()) + " annotator ids for " + detail::text(expected) + " pairs");
    }
    for (std::size_t i = 0; i < annotators.size(); ++i) {
      if (std::cmp_less(annotators[i], 0) || std::cmp_greater_equal(annotators[i], values_.size())) {
        fail("annotator id " + std::to_string(annotators[i]) + " of pair " + detail::text(i) + ", expected one below " +
             detail::text(values_.size()));
      }
    }
  }

  std::vector<double> values_, sums_;
  double rate_;
};

}  // namespace prefopt::inline PREFOPT_ABI
