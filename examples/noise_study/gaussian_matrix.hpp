#pragma once

#include <Eigen/Core>
#include <random>

/// Independent standard normal entries, drawn column by column.
template <class T>
Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic> gaussian_matrix(Eigen::Index rows, Eigen::Index columns,
                                                                 std::mt19937_64& random) {
  std::normal_distribution<T> normal;
  Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic> matrix(rows, columns);
  for (Eigen::Index column = 0; column < columns; ++column) {
    for (Eigen::Index row = 0; row < rows; ++row) matrix(row, column) = normal(random);
  }
  return matrix;
}
