#include "set_terms.hpp"

#include <algorithm>
#include <cmath>

#include "pair_terms.hpp"

namespace {

/// The elementary symmetric polynomial of that degree of all values but two (or one, or none: pass the size).
double symmetric(std::span<double const> values, std::size_t degree, std::size_t without, std::size_t and_without) {
  std::vector<double> sums(degree + 1);
  sums[0] = 1;
  if (degree == 0) return 1;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i == without || i == and_without) continue;
    for (std::size_t d = degree; d > 0; --d) sums[d] += values[i] * sums[d - 1];
  }
  return sums[degree];
}

}  // namespace

set_probabilities::set_probabilities(choices::tied const& set, std::span<worth const> worths,
                                     std::span<std::size_t const> tie_sizes, std::span<double const> parameters) {
  std::size_t const items = set.items.size();
  auto const best = *std::ranges::max_element(set.items, {}, [&](std::size_t item) { return worths[item].value(); });
  for (std::size_t const item : set.items) relative_.push_back(worths[item] - worths[best]);
  parameter_of_size_.assign(items + 1, -INFINITY);
  parameter_of_size_[1] = 0;
  for (std::size_t i = 0; i < tie_sizes.size(); ++i) {
    if (tie_sizes[i] <= items) parameter_of_size_[tie_sizes[i]] = parameters[i];
  }
  std::vector<double> log_weight(items + 1, -INFINITY), powers(items);
  std::vector<std::vector<double>> chances(items + 1);  // of each item, of being among so many chosen
  log_sum_ = -INFINITY;
  auto const rows = static_cast<Eigen::Index>(items);
  share = Eigen::VectorXd::Zero(rows);
  share_share = Eigen::MatrixXd::Zero(rows, rows);
  size = Eigen::VectorXd::Zero(static_cast<Eigen::Index>(tie_sizes.size()));
  share_size = Eigen::MatrixXd::Zero(rows, size.size());

  for (int const pass : {0, 1}) {  // the weights of the sizes, and with them the expectations
    for (std::size_t k = 1; k <= items; ++k) {
      if (parameter_of_size_[k] == -INFINITY) continue;
      double const each = 1 / static_cast<double>(k);
      for (std::size_t i = 0; i < items; ++i) powers[i] = std::exp(relative_[i] * each);
      double const sum = symmetric(powers, k, items, items);
      if (pass == 0) {
        log_weight[k] = parameter_of_size_[k] + std::log(sum);
        log_sum_ = log_sum(log_sum_, log_weight[k]);
        continue;
      }
      double const chance = std::exp(log_weight[k] - log_sum_);
      if (!(sum > 0)) continue;
      auto const parameter = std::ranges::find(tie_sizes, k) - tie_sizes.begin();
      if (k > 1) size[parameter] = chance;
      for (std::size_t i = 0; i < items; ++i) {
        double const of_item = chance * each * (powers[i] * symmetric(powers, k - 1, i, i) / sum);
        share[static_cast<Eigen::Index>(i)] += of_item;
        if (k == 1) continue;
        share_size(static_cast<Eigen::Index>(i), parameter) += of_item;
        for (std::size_t j = 0; j < i; ++j) {
          share_share(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(j)) -=
              chance * each * each * (powers[i] * powers[j] * symmetric(powers, k - 2, i, j) / sum);
        }
      }
    }
  }
  share_size -= share * size.transpose();
  share_share += share * share.transpose();
}

double set_probabilities::log_probability(std::vector<std::size_t> const& chosen) const {
  double mean = 0;
  for (std::size_t const place : chosen) mean += relative_[place] / static_cast<double>(chosen.size());
  return parameter_of_size_[chosen.size()] + mean - log_sum_;
}

set_probabilities::gradient set_probabilities::gradient_of(choices::tied const& set, std::span<double const> counts,
                                                           std::span<std::size_t const> tie_sizes) const {
  gradient result{Eigen::VectorXd::Zero(share.size()), Eigen::VectorXd::Zero(size.size())};
  double all = 0;
  for (auto const& [chosen, number] : set.outcomes) {
    double const count = counts[number];
    all += count;
    for (std::size_t const place : chosen) {
      result.worth[static_cast<Eigen::Index>(place)] += count / static_cast<double>(chosen.size());
    }
    auto const of_size = std::ranges::find(tie_sizes, chosen.size());
    if (of_size != tie_sizes.end()) result.tie[of_size - tie_sizes.begin()] += count;
  }
  result.worth -= all * share;
  result.tie -= all * size;
  // The sum over all items is 0: so the favourite's is taken from the others, whose digits it would not have.
  Eigen::Index favourite = 0;
  share.maxCoeff(&favourite);
  result.worth[favourite] = 0;
  result.worth[favourite] = -result.worth.sum();
  return result;
}
