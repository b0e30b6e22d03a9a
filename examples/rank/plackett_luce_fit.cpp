#include "plackett_luce_fit.hpp"

#include <lbfgs.h>

#include <Eigen/Dense>
#include <Eigen/Sparse>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <new>
#include <prefopt/engine/evaluate.hpp>
#include <prefopt/loss/plackett_luce.hpp>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>

namespace {

/// The negative log-likelihood and its gradient, by prefopt: one group of a batch is one ranking.
class likelihood {
 public:
  explicit likelihood(rankings const& data) {
    for (ranking const& r : data.ranked) {
      if (batches_.empty() || batches_.back().choices != r.choices) batches_.push_back({.choices = r.choices});
      batch& last = batches_.back();
      last.items.insert(last.items.end(), r.items.begin(), r.items.end());
      last.offsets.push_back(static_cast<std::int64_t>(last.items.size()));
      last.weight.push_back(r.count);
    }
    for (batch& b : batches_) {
      b.worth.resize(b.items.size());
      b.d_worth.resize(b.items.size());
    }
  }

  double operator()(std::span<double const> worth, std::span<double> gradient) {
    double value = 0;
    std::ranges::fill(gradient, 0.0);
    for (batch& b : batches_) {
      std::ranges::transform(b.items, b.worth.begin(), [&](std::size_t item) { return worth[item]; });
      auto const report =
          prefopt::evaluate(prefopt::plackett_luce{.top_k = static_cast<double>(b.choices)},
                            prefopt::list_batch<double>{.logp = b.worth, .weight = b.weight, .offsets = b.offsets},
                            {.d_logp = b.d_worth}, {.reduction = prefopt::reduction::sum});
      value += report.loss;
      for (std::size_t i = 0; i < b.items.size(); ++i) gradient[b.items[i]] += b.d_worth[i];
    }
    return value;
  }

 private:
  /// Rankings with the same number of choices, which is a parameter of the loss.
  struct batch {
    std::size_t choices = 0;
    std::vector<std::size_t> items{};
    std::vector<std::int64_t> offsets{0};
    std::vector<double> weight{}, worth{}, d_worth{};
  };
  std::vector<batch> batches_;
};

/// Near the maximum: as far as the rounding of the likelihood itself allows.
std::vector<double> minimize(likelihood& objective, std::size_t items, double total) {
  std::unique_ptr<double, decltype(&lbfgs_free)> const worth{lbfgs_malloc(static_cast<int>(items)), &lbfgs_free};
  if (!worth) throw std::bad_alloc{};
  std::fill_n(worth.get(), items, 0.0);
  struct problem {
    likelihood& objective;
    std::size_t items;
  } instance{objective, items};
  // liblbfgs may pad the vectors and then pass the padded size.
  auto const evaluate = [](void* data, double const* x, double* gradient, int, double) {
    auto& [function, size] = *static_cast<problem*>(data);
    return function({x, size}, {gradient, size});
  };
  lbfgs_parameter_t parameters;
  lbfgs_parameter_init(&parameters);
  parameters.epsilon = 1e-15 * total;
  parameters.past = 3;
  parameters.delta = 1e-12;
  parameters.max_iterations = 500;
  // A line search that is stopped by rounding or by the limit is no failure: Newton's method goes on from there.
  int const status = lbfgs(static_cast<int>(items), worth.get(), nullptr, evaluate, nullptr, &instance, &parameters);
  if (status == LBFGSERR_OUTOFMEMORY) throw std::bad_alloc{};
  return {worth.get(), worth.get() + items};
}

/// log(e^a + e^b)
double log_sum(double a, double b) { return std::max(a, b) + std::log1p(std::exp(-std::abs(a - b))); }

/// The observed information without the row and column of the zero item: a weighted graph's Laplacian, positive
/// definite.
class information {
 public:
  information(rankings const& data, std::size_t zero_item, std::size_t most_dense)
      : data_{data}, zero_item_{zero_item}, dense_{data.items.size() <= most_dense} {}

  void factorize(std::span<double const> worth) {
    auto const size = static_cast<Eigen::Index>(data_.items.size() - 1);
    Eigen::VectorXd diagonal = Eigen::VectorXd::Zero(size);
    if (dense_) {
      Eigen::MatrixXd matrix = Eigen::MatrixXd::Zero(size, size);
      add_curvature(worth, diagonal,
                    [&](Eigen::Index row, Eigen::Index column, double x) { matrix(row, column) += x; });
      matrix.diagonal() += diagonal;
      cholesky_.compute(matrix);
    } else {
      std::vector<Eigen::Triplet<double>> entries;
      Eigen::SparseMatrix<double> part(size, size);
      sparse_ = part;
      auto const flush = [&] {
        part.setFromTriplets(entries.begin(), entries.end());
        sparse_ += part;
        entries.clear();
      };
      // Long rankings have more entries together than the matrix has.
      constexpr std::size_t most = 1 << 24;
      add_curvature(worth, diagonal, [&](Eigen::Index row, Eigen::Index column, double x) {
        entries.emplace_back(row, column, x);
        if (entries.size() == most) flush();
      });
      for (Eigen::Index i = 0; i < size; ++i) entries.emplace_back(i, i, diagonal[i]);
      flush();
      conjugate_gradient_.setTolerance(1e-12);
      conjugate_gradient_.compute(sparse_);
    }
  }

  /// The solution for all items, 0 for the zero item.
  std::vector<double> solve(std::span<double const> right) const {
    Eigen::VectorXd reduced(static_cast<Eigen::Index>(right.size() - 1));
    for (std::size_t item = 0; item < right.size(); ++item) {
      if (item != zero_item_) reduced[row(item)] = right[item];
    }
    Eigen::VectorXd const solution =
        dense_ ? Eigen::VectorXd{cholesky_.solve(reduced)} : Eigen::VectorXd{conjugate_gradient_.solve(reduced)};
    return expand(solution);
  }

  /// Square roots of the inverse's diagonal.
  std::vector<double> standard_errors() const {
    auto const size = static_cast<Eigen::Index>(data_.items.size() - 1);
    Eigen::MatrixXd const inverse = cholesky_.solve(Eigen::MatrixXd::Identity(size, size));
    return expand(inverse.diagonal().cwiseSqrt());
  }

  bool is_dense() const { return dense_; }

 private:
  Eigen::Index row(std::size_t item) const { return static_cast<Eigen::Index>(item - (item > zero_item_ ? 1 : 0)); }

  std::vector<double> expand(Eigen::VectorXd const& reduced) const {
    std::vector<double> all(data_.items.size());
    for (std::size_t item = 0; item < all.size(); ++item) {
      if (item != zero_item_) all[item] = reduced[row(item)];
    }
    return all;
  }

  /// Adds to the diagonal, and calls add(row, column, value) for what is below it.
  ///
  /// The edge between two items of a ranking weighs the sum over the choices that both were left for of p_i p_j, with
  /// p_i = e^worth_i / (sum of e^worth over those left).
  template <class Add>
  void add_curvature(std::span<double const> worth, Eigen::VectorXd& diagonal, Add add) const {
    std::vector<double> left;  // of each place, log of the sum of e^worth from there on
    Eigen::ArrayXd own, edges;
    for (ranking const& r : data_.ranked) {
      auto const size = static_cast<Eigen::Index>(r.items.size());
      own.resize(size);
      left.resize(r.items.size());
      double sum = -std::numeric_limits<double>::infinity();
      for (std::size_t place = r.items.size(); place-- > 0;) {
        own[static_cast<Eigen::Index>(place)] = worth[r.items[place]];
        left[place] = sum = log_sum(sum, worth[r.items[place]]);
      }
      double passed = -std::numeric_limits<double>::infinity();  // log of the sum of e^(-2 left) up to this place
      for (Eigen::Index place = 0; place + 1 < size; ++place) {
        auto const i = static_cast<std::size_t>(place);
        if (i < r.choices) passed = log_sum(passed, -2 * left[i]);
        edges = r.count * (own.tail(size - place - 1) + (own[place] + passed)).exp();
        for (Eigen::Index edge = 0; edge < edges.size(); ++edge) {
          add_edge(r.items[i], r.items[i + 1 + static_cast<std::size_t>(edge)], edges[edge], diagonal, add);
        }
      }
    }
  }

  template <class Add>
  void add_edge(std::size_t item, std::size_t other, double weight, Eigen::VectorXd& diagonal, Add add) const {
    if (item != zero_item_) diagonal[row(item)] += weight;
    if (other != zero_item_) diagonal[row(other)] += weight;
    if (item != zero_item_ && other != zero_item_) {
      add(row(std::max(item, other)), row(std::min(item, other)), -weight);
    }
  }

  rankings const& data_;
  std::size_t zero_item_;
  bool dense_;
  Eigen::LLT<Eigen::MatrixXd> cholesky_;  // reads the lower triangle, as the next
  Eigen::SparseMatrix<double> sparse_;
  Eigen::ConjugateGradient<Eigen::SparseMatrix<double>, Eigen::Lower> conjugate_gradient_;
};

/// NaN if there is one.
double largest(std::span<double const> values) {
  double result = 0;
  for (double const value : values) {
    if (!(std::abs(value) <= result)) result = std::abs(value);
    if (std::isnan(result)) break;
  }
  return result;
}

}  // namespace

plackett_luce_fit fit_plackett_luce(rankings const& data, std::size_t zero_item, std::size_t most_with_errors) {
  likelihood objective{data};
  std::size_t const items = data.items.size();
  std::vector<double> gradient(items), trial(items);
  plackett_luce_fit fit;
  fit.log_likelihood_of_equals = -objective(trial, gradient);
  fit.worth = minimize(objective, items, data.total);
  double const zero = fit.worth[zero_item];
  for (double& worth : fit.worth) worth -= zero;

  // Newton's method takes the last digits, which L-BFGS cannot see in the value of the likelihood.
  information curvature{data, zero_item, most_with_errors};
  double value = objective(fit.worth, gradient);
  // Where a step changes worths by more than this, the curvature at its beginning says little about its end.
  constexpr double longest = 4;
  constexpr int most_steps = 200;
  bool converged = false;
  for (int steps = 0; !converged; ++steps) {
    curvature.factorize(fit.worth);
    std::vector<double> const step = curvature.solve(gradient);
    double const change = largest(step);
    converged = change <= 1e-11 * std::max(1.0, largest(fit.worth));
    double const tolerance = 1e-13 * std::abs(value);
    double length = std::min(1.0, longest / change), trial_value = 0;
    bool ascends = true;
    for (int halvings = 0; ascends && halvings < 40; ++halvings, length /= 2) {
      for (std::size_t item = 0; item < items; ++item) trial[item] = fit.worth[item] - length * step[item];
      trial_value = objective(trial, gradient);
      ascends = !(trial_value <= value + tolerance);
    }
    if (ascends || steps == most_steps) throw std::runtime_error{"the maximum was not found to full precision"};
    fit.worth.swap(trial);
    value = trial_value;
  }
  fit.log_likelihood = -value;
  if (curvature.is_dense()) fit.standard_error = curvature.standard_errors();
  return fit;
}

residual_deviance deviance_of(rankings const& comparisons, plackett_luce_fit const& fit) {
  struct pairing {
    std::pair<std::size_t, std::size_t> items;
    double count;
  };
  std::vector<pairing> pairings;
  for (ranking const& r : comparisons.ranked) pairings.push_back({std::minmax(r.items[0], r.items[1]), r.count});
  std::ranges::sort(pairings, {}, &pairing::items);
  residual_deviance deviance;
  double saturated = 0;  // log-likelihood of the observed proportions
  for (std::size_t i = 0; i < pairings.size(); ++deviance.pairs) {
    double const first = pairings[i].count;
    bool const both_won = i + 1 < pairings.size() && pairings[i + 1].items == pairings[i].items;
    if (both_won) {
      double const second = pairings[i + 1].count;
      saturated += first * std::log(first / (first + second)) + second * std::log(second / (first + second));
    }
    i += both_won ? 2 : 1;
  }
  // With as many parameters as pairs the model is the saturated one, and the difference is rounding.
  bool const saturates = deviance.pairs + 1 == comparisons.items.size();
  deviance.value = saturates ? 0 : std::max(0.0, 2 * (saturated - fit.log_likelihood));
  return deviance;
}
