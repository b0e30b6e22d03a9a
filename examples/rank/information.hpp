#pragma once

#include <Eigen/Dense>
#include <Eigen/Sparse>
#include <cstddef>
#include <vector>

#include "laplacian_factor.hpp"

/// The observed information, the second derivatives of a log-likelihood with the sign turned: of the worths the Laplacian
/// of a weighted graph, and beside it the rows of the parameters of ties. The zero item's worth is known.
class information {
 public:
  /// With more vertices than `most_dense` the Laplacian is sparse, and solved by iteration.
  information(std::size_t vertices, std::size_t tie_parameters, std::size_t zero, std::size_t most_dense);

  void clear();
  void add_edge(std::size_t vertex, std::size_t other, double weight);
  void add_border(std::size_t vertex, std::size_t parameter, double value) {
    if (vertex != zero_) border_(row(vertex), static_cast<Eigen::Index>(parameter)) += value;
  }
  void add_corner(std::size_t parameter, std::size_t other, double value) {
    corner_(static_cast<Eigen::Index>(parameter), static_cast<Eigen::Index>(other)) += value;
  }

  /// False where a direction has no information, as far as numbers tell.
  bool factorize();

  struct direction {
    std::vector<double> worth, tie;  ///< of all vertices, 0 for the zero item; of the parameters of ties
  };
  direction solve(direction const& right) const;

  /// Square roots of the diagonal of the inverse; for the worths only where the Laplacian is dense.
  direction standard_errors() const;

 private:
  Eigen::Index row(std::size_t vertex) const {
    return vertex == zero_ ? size_ : static_cast<Eigen::Index>(vertex - (vertex > zero_ ? 1 : 0));
  }
  void flush();
  Eigen::MatrixXd solve_graph(Eigen::MatrixXd const& right) const;
  std::vector<double> expand(Eigen::VectorXd const& of_rows) const;

  std::size_t zero_;
  Eigen::Index size_;  // without the zero item, which is the last
  bool dense_;
  Eigen::MatrixXd border_, corner_;

  Eigen::MatrixXd weights_;
  laplacian_factor factor_;

  std::vector<Eigen::Triplet<double>> entries_;
  Eigen::VectorXd diagonal_;
  Eigen::SparseMatrix<double> sparse_;
  Eigen::ConjugateGradient<Eigen::SparseMatrix<double>, Eigen::Lower | Eigen::Upper, Eigen::IncompleteCholesky<double>>
      conjugate_gradient_;

  Eigen::MatrixXd border_solution_;
  Eigen::LLT<Eigen::MatrixXd> tie_factor_;  // of the information on the ties that is left when the worths are fitted
};
