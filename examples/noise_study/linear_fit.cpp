#include "linear_fit.hpp"

#include <lbfgs.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>

namespace {

struct problem {
  Eigen::MatrixXd const& features;
  score_loss const& loss;
  Eigen::VectorXd scores, d_scores;

  double operator()(Eigen::Map<Eigen::VectorXd const> const& theta, Eigen::Map<Eigen::VectorXd> gradient) {
    scores.noalias() = features * theta;
    auto const count = static_cast<std::size_t>(scores.size());
    double const value = loss({scores.data(), count}, {d_scores.data(), count});
    gradient.noalias() = features.transpose() * d_scores;
    gradient += ridge * theta;
    return value + ridge / 2 * theta.squaredNorm();
  }
};

}  // namespace

Eigen::VectorXd fit_linear(Eigen::MatrixXd const& features, score_loss const& loss) {
  problem instance{features, loss, Eigen::VectorXd(features.rows()), Eigen::VectorXd(features.rows())};
  auto const size = static_cast<int>(features.cols());
  std::unique_ptr<double, decltype(&lbfgs_free)> const theta{lbfgs_malloc(size), &lbfgs_free};
  if (!theta) throw std::bad_alloc{};
  std::fill_n(theta.get(), size, 0.0);
  // liblbfgs may pad the vectors and then pass the padded size.
  auto const evaluate = [](void* data, double const* x, double* gradient, int, double) {
    auto& function = *static_cast<problem*>(data);
    Eigen::Index const columns = function.features.cols();
    return function(Eigen::Map<Eigen::VectorXd const>{x, columns}, Eigen::Map<Eigen::VectorXd>{gradient, columns});
  };
  lbfgs_parameter_t parameters;
  lbfgs_parameter_init(&parameters);
  parameters.epsilon = 1e-7;  // of the gradient's norm, relative to that of theta
  int const status = lbfgs(size, theta.get(), nullptr, evaluate, nullptr, &instance, &parameters);
  if (status < 0) throw std::runtime_error{"L-BFGS stopped with status " + std::to_string(status)};
  return Eigen::Map<Eigen::VectorXd const>{theta.get(), features.cols()};
}
