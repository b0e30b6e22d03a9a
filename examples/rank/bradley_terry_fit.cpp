#include "bradley_terry_fit.hpp"

#include <lbfgs.h>

#include <Eigen/Dense>
#include <Eigen/Sparse>
#include <algorithm>
#include <cmath>
#include <memory>
#include <new>
#include <prefopt/evaluate.hpp>
#include <prefopt/loss/bradley_terry.hpp>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>

namespace {

/// The negative log-likelihood and its gradient, by prefopt: one pair of the batch is one winner and loser.
class likelihood {
 public:
  explicit likelihood(comparisons const& games) : games_{games} {
    std::size_t const size = games.decided.size();
    for (auto* column : {&chosen_, &rejected_, &weight_, &d_chosen_, &d_rejected_}) column->resize(size);
    for (std::size_t i = 0; i < size; ++i) weight_[i] = games.decided[i].count;
  }

  double operator()(std::span<double const> worth, std::span<double> gradient) {
    for (std::size_t i = 0; i < weight_.size(); ++i) {
      chosen_[i] = worth[games_.decided[i].winner];
      rejected_[i] = worth[games_.decided[i].loser];
    }
    auto const report =
        prefopt::evaluate(prefopt::bradley_terry{},
                          prefopt::pair_batch<double>{.chosen = chosen_, .rejected = rejected_, .weight = weight_},
                          {.d_chosen = d_chosen_, .d_rejected = d_rejected_}, {.reduction = prefopt::reduction::sum});
    std::ranges::fill(gradient, 0.0);
    for (std::size_t i = 0; i < weight_.size(); ++i) {
      gradient[games_.decided[i].winner] += d_chosen_[i];
      gradient[games_.decided[i].loser] += d_rejected_[i];
    }
    return report.loss;
  }

 private:
  comparisons const& games_;
  std::vector<double> chosen_, rejected_, weight_, d_chosen_, d_rejected_;
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
  parameters.epsilon = 1e-10 * std::max(total, 1.0);
  parameters.max_iterations = 500;
  // A line search that is stopped by rounding or by the limit is no failure: Newton's method goes on from there.
  int const status = lbfgs(static_cast<int>(items), worth.get(), nullptr, evaluate, nullptr, &instance, &parameters);
  if (status == LBFGSERR_OUTOFMEMORY) throw std::bad_alloc{};
  return {worth.get(), worth.get() + items};
}

/// The observed information without the row and column of the zero item: a weighted graph's Laplacian, positive
/// definite.
class information {
 public:
  information(comparisons const& games, std::size_t zero_item, std::size_t most_dense)
      : games_{games}, zero_item_{zero_item}, dense_{games.items.size() <= most_dense} {}

  void factorize(std::span<double const> worth) {
    auto const size = static_cast<Eigen::Index>(games_.items.size() - 1);
    if (dense_) {
      Eigen::MatrixXd matrix = Eigen::MatrixXd::Zero(size, size);
      for_each_entry(worth, [&](Eigen::Index row, Eigen::Index column, double value) { matrix(row, column) += value; });
      cholesky_.compute(matrix);
    } else {
      std::vector<Eigen::Triplet<double>> entries;
      for_each_entry(worth, [&](auto... entry) { entries.emplace_back(entry...); });
      sparse_.resize(size, size);
      sparse_.setFromTriplets(entries.begin(), entries.end());
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
    auto const size = static_cast<Eigen::Index>(games_.items.size() - 1);
    Eigen::MatrixXd const inverse = cholesky_.solve(Eigen::MatrixXd::Identity(size, size));
    return expand(inverse.diagonal().cwiseSqrt());
  }

  bool is_dense() const { return dense_; }

 private:
  Eigen::Index row(std::size_t item) const { return static_cast<Eigen::Index>(item - (item > zero_item_ ? 1 : 0)); }

  std::vector<double> expand(Eigen::VectorXd const& reduced) const {
    std::vector<double> all(games_.items.size());
    for (std::size_t item = 0; item < all.size(); ++item) {
      if (item != zero_item_) all[item] = reduced[row(item)];
    }
    return all;
  }

  template <class Add>
  void for_each_entry(std::span<double const> worth, Add add) const {
    for (auto const& [winner, loser, count] : games_.decided) {
      double const half = std::cosh((worth[winner] - worth[loser]) / 2);
      double const curvature = count / (4 * half * half);  // p (1 - p) of each comparison
      if (winner != zero_item_) add(row(winner), row(winner), curvature);
      if (loser != zero_item_) add(row(loser), row(loser), curvature);
      if (winner != zero_item_ && loser != zero_item_) {
        add(row(winner), row(loser), -curvature);
        add(row(loser), row(winner), -curvature);
      }
    }
  }

  comparisons const& games_;
  std::size_t zero_item_;
  bool dense_;
  Eigen::LLT<Eigen::MatrixXd> cholesky_;
  Eigen::SparseMatrix<double> sparse_;
  Eigen::ConjugateGradient<Eigen::SparseMatrix<double>, Eigen::Lower | Eigen::Upper> conjugate_gradient_;
};

double largest(std::span<double const> values) {
  double result = 0;
  for (double const value : values) result = std::max(result, std::abs(value));
  return result;
}

}  // namespace

bradley_terry_fit fit_bradley_terry(comparisons const& games, std::size_t zero_item, std::size_t most_with_errors) {
  likelihood objective{games};
  std::size_t const items = games.items.size();
  bradley_terry_fit fit;
  fit.worth = minimize(objective, items, games.total);
  double const zero = fit.worth[zero_item];
  for (double& worth : fit.worth) worth -= zero;

  // Newton's method takes the last digits, which L-BFGS cannot see in the value of the likelihood.
  information curvature{games, zero_item, most_with_errors};
  std::vector<double> gradient(items), trial(items);
  double value = objective(fit.worth, gradient);
  constexpr int most_steps = 100;
  bool converged = false;
  for (int steps = 0; !converged; ++steps) {
    if (steps == most_steps) throw std::runtime_error{"the maximum was not found to full precision"};
    curvature.factorize(fit.worth);
    std::vector<double> const step = curvature.solve(gradient);
    converged = largest(step) <= 1e-11 * std::max(1.0, largest(fit.worth));
    double const tolerance = 1e-13 * std::abs(value);
    double length = 1, trial_value = 0;
    do {
      for (std::size_t item = 0; item < items; ++item) trial[item] = fit.worth[item] - length * step[item];
      trial_value = objective(trial, gradient);
      length /= 2;
    } while (trial_value > value + tolerance && length > 1e-10);
    fit.worth.swap(trial);
    value = trial_value;
  }
  fit.log_likelihood = -value;
  if (curvature.is_dense()) fit.standard_error = curvature.standard_errors();
  return fit;
}

residual_deviance deviance_of(comparisons const& games, bradley_terry_fit const& fit) {
  struct pairing {
    std::pair<std::size_t, std::size_t> items;
    double count;
  };
  std::vector<pairing> pairings;
  for (auto const& [winner, loser, count] : games.decided) pairings.push_back({std::minmax(winner, loser), count});
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
  bool const saturates = deviance.pairs + 1 == games.items.size();
  deviance.value = saturates ? 0 : std::max(0.0, 2 * (saturated - fit.log_likelihood));
  return deviance;
}
