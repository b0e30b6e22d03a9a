#include "information.hpp"

#include <algorithm>

information::information(std::size_t vertices, std::size_t tie_parameters, std::size_t zero, std::size_t most_dense)
    : zero_{zero},
      size_{static_cast<Eigen::Index>(vertices) - 1},
      dense_{vertices <= most_dense},
      border_(size_, static_cast<Eigen::Index>(tie_parameters)),
      corner_(border_.cols(), border_.cols()) {
  if (dense_) {
    weights_.resize(size_ + 1, size_ + 1);
  } else {
    sparse_.resize(size_, size_);
    conjugate_gradient_.setTolerance(1e-14);
    conjugate_gradient_.preconditioner().setInitialShift(0);  // a Laplacian needs none
  }
}

void information::clear() {
  border_.setZero();
  corner_.setZero();
  if (dense_) {
    weights_.setZero();
  } else {
    entries_.clear();
    sparse_.setZero();
    diagonal_ = Eigen::VectorXd::Zero(size_ + 1);
  }
}

void information::add_edge(std::size_t vertex, std::size_t other, double weight) {
  Eigen::Index const i = row(vertex), j = row(other);
  if (dense_) {
    weights_(std::max(i, j), std::min(i, j)) += weight;
    return;
  }
  diagonal_[i] += weight;
  diagonal_[j] += weight;
  if (std::max(i, j) == size_) return;
  entries_.emplace_back(i, j, -weight);
  entries_.emplace_back(j, i, -weight);
  // Long rankings have more entries together than the matrix has.
  constexpr std::size_t most = 1 << 24;
  if (entries_.size() >= most) flush();
}

void information::flush() {
  Eigen::SparseMatrix<double> part(size_, size_);
  part.setFromTriplets(entries_.begin(), entries_.end());
  sparse_ += part;
  entries_.clear();
}

bool information::factorize() {
  if (dense_) {
    if (!factor_.compute(weights_)) return false;
  } else {
    for (Eigen::Index i = 0; i < size_; ++i) entries_.emplace_back(i, i, diagonal_[i]);
    flush();
    conjugate_gradient_.compute(sparse_);
    if (conjugate_gradient_.info() != Eigen::Success) return false;
  }
  border_solution_ = border_.cols() == 0 ? border_ : solve_graph(border_);
  tie_factor_.compute(corner_ - border_.transpose() * border_solution_);  // none has an empty one
  return tie_factor_.info() == Eigen::Success;
}

Eigen::MatrixXd information::solve_graph(Eigen::MatrixXd const& right) const {
  return dense_ ? factor_.solve(right) : Eigen::MatrixXd{conjugate_gradient_.solve(right)};
}

information::direction information::solve(direction const& right) const {
  Eigen::VectorXd of_rows(size_);
  for (std::size_t vertex = 0; vertex < right.worth.size(); ++vertex) {
    if (vertex != zero_) of_rows[row(vertex)] = right.worth[vertex];
  }
  Eigen::VectorXd of_ties = Eigen::Map<Eigen::VectorXd const>(right.tie.data(), border_.cols());
  Eigen::VectorXd solution = solve_graph(of_rows);
  if (border_.cols() != 0) {
    of_ties = tie_factor_.solve(of_ties - border_.transpose() * solution);
    solution -= border_solution_ * of_ties;
  }
  return {expand(solution), {of_ties.begin(), of_ties.end()}};
}

information::direction information::standard_errors() const {
  Eigen::MatrixXd const ties = tie_factor_.solve(Eigen::MatrixXd::Identity(border_.cols(), border_.cols()));
  Eigen::VectorXd const roots = ties.diagonal().cwiseSqrt();
  direction errors{{}, {roots.begin(), roots.end()}};
  if (dense_) {
    Eigen::VectorXd variance = factor_.inverse_diagonal();
    if (ties.size() != 0) variance += (border_solution_ * ties).cwiseProduct(border_solution_).rowwise().sum();
    errors.worth = expand(variance.cwiseSqrt());
  }
  return errors;
}

std::vector<double> information::expand(Eigen::VectorXd const& of_rows) const {
  std::vector<double> all(static_cast<std::size_t>(size_) + 1);
  for (std::size_t vertex = 0; vertex < all.size(); ++vertex) {
    if (vertex != zero_) all[vertex] = of_rows[row(vertex)];
  }
  return all;
}
