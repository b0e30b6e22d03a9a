#include "laplacian_factor.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

bool laplacian_factor::compute(Eigen::MatrixXd weights) {
  lower_ = std::move(weights);
  pivots_.resize(lower_.rows() - 1);
  bool is_nonnegative = true;
  for (Eigen::Index k = 0; k + 1 < lower_.rows() && is_nonnegative; ++k) {
    is_nonnegative = !(lower_.col(k).tail(lower_.rows() - k - 1).minCoeff() < 0);
  }
  return is_nonnegative ? eliminate() : factorize();
}

bool laplacian_factor::eliminate() {
  Eigen::Index const vertices = lower_.rows();
  constexpr Eigen::Index width = 48;  // of the panels, after each of which the rest is brought up to date at once
  Eigen::MatrixXd weights;
  for (Eigen::Index begin = 0; begin < pivots_.size(); begin += width) {
    Eigen::Index const end = std::min(begin + width, pivots_.size());
    weights.resize(vertices - end, end - begin);
    for (Eigen::Index k = begin; k < end; ++k) {
      auto column = lower_.col(k).tail(vertices - k - 1);
      double const pivot = pivots_[k] = column.sum();
      if (!(pivot > 0) || !std::isfinite(pivot)) return false;
      weights.col(k - begin) = column.tail(vertices - end);
      for (Eigen::Index j = k + 1; j < end; ++j) {
        double const share = lower_(j, k) / pivot;
        lower_.col(j).tail(vertices - j - 1) += share * lower_.col(k).tail(vertices - j - 1);
      }
      column /= -pivot;
    }
    Eigen::Index const rest = vertices - end;
    lower_.bottomRightCorner(rest, rest).triangularView<Eigen::Lower>() -=
        lower_.block(end, begin, rest, end - begin) * weights.transpose();
  }
  return true;
}

bool laplacian_factor::factorize() {
  Eigen::Index const size = pivots_.size();
  Eigen::MatrixXd matrix = Eigen::MatrixXd::Zero(size, size);
  for (Eigen::Index k = 0; k < size; ++k) {
    for (Eigen::Index i = k + 1; i <= size; ++i) {
      double const weight = lower_(i, k);
      matrix(k, k) += weight;
      if (i == size) continue;
      matrix(i, i) += weight;
      matrix(i, k) = -weight;
    }
  }
  Eigen::LLT<Eigen::MatrixXd> const factor{matrix};
  if (factor.info() != Eigen::Success) return false;
  Eigen::MatrixXd const root = factor.matrixL();
  pivots_ = root.diagonal().array().square();
  lower_.topLeftCorner(size, size) = root * root.diagonal().cwiseInverse().asDiagonal();
  return true;
}

Eigen::MatrixXd laplacian_factor::solve(Eigen::MatrixXd const& right) const {
  auto const unit = lower_.topLeftCorner(pivots_.size(), pivots_.size()).triangularView<Eigen::UnitLower>();
  Eigen::MatrixXd solution = unit.solve(right);
  solution.array().colwise() /= pivots_.array();
  unit.transpose().solveInPlace(solution);
  return solution;
}

Eigen::VectorXd laplacian_factor::inverse_diagonal() const {
  Eigen::Index const size = pivots_.size();
  Eigen::MatrixXd inverse = Eigen::MatrixXd::Identity(size, size);
  lower_.topLeftCorner(size, size).triangularView<Eigen::UnitLower>().solveInPlace(inverse);
  return (inverse.array().square().colwise() / pivots_.array()).colwise().sum().transpose();
}
