#pragma once

#include <Eigen/Dense>

/// The Cholesky factors L D L' of a graph's Laplacian without the row and column of the last vertex.
///
/// Where no edge weighs less than 0 they are computed without a subtraction: of the graph that is left when some vertices
/// are eliminated only the weights are kept, which grow, and what stands on the diagonal is their sum (Grassmann, Taksar
/// and Heyman 1985). So every entry has nearly all its digits, however far apart the weights are. Edges below 0, which
/// ties of several items can have, take the usual algorithm.
class laplacian_factor {
 public:
  /// Reads the weights of the edges below the diagonal. False if the vertices are not connected, as far as numbers tell.
  bool compute(Eigen::MatrixXd weights);

  Eigen::MatrixXd solve(Eigen::MatrixXd const& right) const;
  /// The diagonal of the inverse.
  Eigen::VectorXd inverse_diagonal() const;

 private:
  bool eliminate();
  bool factorize();

  Eigen::MatrixXd lower_;  // of L without its unit diagonal, in the leading rows and columns
  Eigen::VectorXd pivots_;
};
