#pragma once

#include <Eigen/Core>
#include <algorithm>
#include <cstddef>
#include <numeric>
#include <utility>
#include <vector>

#include "ranks.hpp"

/// The gradient of a table of weights of which a batch touches few columns: only theirs are kept, summed, and sent.
template <int Rows>
class touched_columns {
 public:
  explicit touched_columns(Eigen::Index columns)
      : sums_{Rows, 1024}, ordered_{Rows, 1024}, place_(static_cast<std::size_t>(columns), -1) {}

  template <class Gradient>
  void add(Eigen::Index column, Gradient const& gradient) {
    Eigen::Index& place = place_[static_cast<std::size_t>(column)];
    if (place >= 0) {
      sums_.col(place) += gradient;
      return;
    }
    place = static_cast<Eigen::Index>(touched_.size());
    touched_.push_back(column);
    if (place == sums_.cols()) sums_.conservativeResize(Eigen::NoChange, 2 * place);
    sums_.col(place) = gradient;
  }

  /// Makes the gradient the sum over all ranks' gradients.
  void add_up(ranks const& all) {
    if (all.count == 1) return;
    touch_those_of(all);
    auto const columns = static_cast<Eigen::Index>(touched_.size());
    if (ordered_.cols() < columns) ordered_.resize(Eigen::NoChange, columns);
    for (Eigen::Index to = 0; to < columns; ++to) {
      Eigen::Index& place = place_[static_cast<std::size_t>(touched_[static_cast<std::size_t>(to)])];
      if (place >= 0) {
        ordered_.col(to) = sums_.col(place);
      } else {
        ordered_.col(to).setZero();
      }
      place = to;
    }
    sums_.swap(ordered_);
    all.sum({sums_.data(), static_cast<std::size_t>(Rows * columns)});
  }

  /// Calls use(column, its gradient, the next column), which is the column itself at the end. None is touched then.
  template <class Use>
  void take(Use use) {
    for (std::size_t place = 0; place < touched_.size(); ++place) {
      Eigen::Index const column = touched_[place], next = touched_[std::min(place + 1, touched_.size() - 1)];
      use(column, sums_.col(static_cast<Eigen::Index>(place)), next);
      place_[static_cast<std::size_t>(column)] = -1;
    }
    touched_.clear();
  }

 private:
  using sums = Eigen::Array<double, Rows, Eigen::Dynamic>;

  /// Each rank writes the columns that it has touched to its own part of a list that is zero elsewhere.
  void touch_those_of(ranks const& all) {
    std::vector<double> counts(all.count);
    counts[all.rank] = static_cast<double>(touched_.size());
    all.sum(counts);
    auto const own = counts.begin() + static_cast<std::ptrdiff_t>(all.rank);
    std::vector<double> columns(static_cast<std::size_t>(std::accumulate(counts.begin(), counts.end(), 0.0)));
    std::ranges::copy(touched_,
                      columns.begin() + static_cast<std::ptrdiff_t>(std::accumulate(counts.begin(), own, 0.0)));
    all.sum(columns);
    std::ranges::sort(columns);
    touched_.assign(columns.begin(), std::unique(columns.begin(), columns.end()));
  }

  sums sums_, ordered_;                        ///< the second keeps its memory from batch to batch
  std::vector<Eigen::Index> touched_, place_;  ///< the columns in sums_; where each of the table is there, or -1
};
