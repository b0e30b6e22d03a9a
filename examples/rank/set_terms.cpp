#include "set_terms.hpp"

#include <algorithm>
#include <cmath>

#include "pair_terms.hpp"

namespace {

/// The coefficients of a product of factors 1 + value x, the elementary symmetric polynomials of the values, up to a degree.
class symmetric_sums {
 public:
  explicit symmetric_sums(std::size_t degree) : sums_(degree + 1) { sums_[0] = 1; }

  void include(double value) {
    for (std::size_t d = sums_.size() - 1; d > 0; --d) sums_[d] += value * sums_[d - 1];
  }
  double operator[](std::size_t degree) const { return sums_[degree]; }

  /// Of the values of both.
  friend double together(symmetric_sums const& a, symmetric_sums const& b, std::size_t degree) {
    double sum = 0;
    for (std::size_t d = 0; d <= degree; ++d) sum += a.sums_[d] * b.sums_[degree - d];
    return sum;
  }

 private:
  std::vector<double> sums_;
};

/// Of the values from each place on.
std::vector<symmetric_sums> sums_from(std::span<double const> values, std::size_t degree) {
  std::vector<symmetric_sums> sums(values.size() + 1, symmetric_sums{degree});
  for (std::size_t i = values.size(); i-- > 0;) {
    sums[i] = sums[i + 1];
    sums[i].include(values[i]);
  }
  return sums;
}

}  // namespace

set_probabilities::set_probabilities(choices::tied const& set, std::span<worth const> worths,
                                     std::span<std::size_t const> tie_sizes, std::span<double const> parameters)
    : tie_sizes_{tie_sizes},
      parameter_(set.items.size() + 1, -INFINITY),
      log_weight_(set.items.size() + 1, -INFINITY),
      log_sum_{-INFINITY} {
  std::size_t const items = set.items.size();
  auto const best = *std::ranges::max_element(set.items, {}, [&](std::size_t item) { return worths[item].value(); });
  for (std::size_t const item : set.items) relative_.push_back(worths[item] - worths[best]);
  parameter_[1] = 0;
  for (std::size_t i = 0; i < tie_sizes.size(); ++i) {
    if (tie_sizes[i] <= items) parameter_[tie_sizes[i]] = parameters[i];
  }
  for (std::size_t size = 1; size <= items; ++size) {
    if (parameter_[size] == -INFINITY) continue;
    log_weight_[size] = parameter_[size] + std::log(sums_from(powers_of(size), size).front()[size]);
    log_sum_ = log_sum(log_sum_, log_weight_[size]);
  }
}

std::vector<double> set_probabilities::powers_of(std::size_t size) const {
  std::vector<double> powers;
  for (double const x : relative_) powers.push_back(std::exp(x / static_cast<double>(size)));
  return powers;
}

set_expectations set_probabilities::expectations() const {
  std::size_t const items = relative_.size();
  auto const rows = static_cast<Eigen::Index>(items), sizes = static_cast<Eigen::Index>(tie_sizes_.size());
  set_expectations result{Eigen::VectorXd::Zero(rows), Eigen::VectorXd::Zero(sizes), Eigen::MatrixXd::Zero(rows, rows),
                          Eigen::MatrixXd::Zero(rows, sizes)};
  for (std::size_t size = 1; size <= items; ++size) {
    if (log_weight_[size] == -INFINITY) continue;
    std::vector<double> const powers = powers_of(size);
    auto const from = sums_from(powers, size);
    double const share = 1 / static_cast<double>(size), scale = std::exp(log_weight_[size] - log_sum_) / from[0][size];
    auto const parameter = std::ranges::find(tie_sizes_, size) - tie_sizes_.begin();
    if (size > 1) result.size[parameter] = std::exp(log_weight_[size] - log_sum_);
    symmetric_sums before{size};  // of the values before i
    for (std::size_t i = 0; i < items; ++i) {
      auto const column = static_cast<Eigen::Index>(i);
      double const of_item = share * (powers[i] * together(before, from[i + 1], size - 1) * scale);
      result.share[column] += of_item;
      if (size > 1) {
        result.share_size(column, parameter) = of_item;
        symmetric_sums others = before;  // and of those between i and j
        for (std::size_t j = i + 1; j < items; ++j) {
          double const of_both = powers[i] * powers[j] * together(others, from[j + 1], size - 2) * scale;
          result.share_share(static_cast<Eigen::Index>(j), column) -= share * share * of_both;
          others.include(powers[j]);
        }
      }
      before.include(powers[i]);
    }
  }
  result.share_size -= result.share * result.size.transpose();
  result.share_share += result.share * result.share.transpose();
  return result;
}

double set_probabilities::log_probability(std::vector<std::size_t> const& chosen) const {
  double mean = 0;
  for (std::size_t const place : chosen) mean += relative_[place] / static_cast<double>(chosen.size());
  return parameter_[chosen.size()] + mean - log_sum_;
}

set_gradient gradient_of(choices::tied const& set, std::span<double const> counts, set_expectations const& expected,
                         std::span<std::size_t const> tie_sizes) {
  set_gradient result{Eigen::VectorXd::Zero(expected.share.size()), Eigen::VectorXd::Zero(expected.size.size())};
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
  result.worth -= all * expected.share;
  result.tie -= all * expected.size;
  // The sum over all items is 0: so the favourite's is taken from the others, whose digits it would not have.
  Eigen::Index favourite = 0;
  expected.share.maxCoeff(&favourite);
  result.worth[favourite] = 0;
  result.worth[favourite] = -result.worth.sum();
  return result;
}
