#pragma once

#include <cstddef>
#include <prefopt/view/row_major.hpp>
#include <random>
#include <vector>

/// Rows of random numbers, apart from each other, with a number between that must not be read.
template <class T>
struct random_rows {
  std::size_t rows, columns, stride;
  std::vector<T> memory;

  random_rows(std::size_t n, std::size_t dimension, unsigned seed, std::size_t gap = 2)
      : rows{n}, columns{dimension}, stride{dimension + gap}, memory(n * stride, T(1e30F)) {
    std::mt19937 engine{seed};
    std::normal_distribution<double> normal;
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j < dimension; ++j) at(i, j) = static_cast<T>(normal(engine));
    }
  }

  [[nodiscard]] T& at(std::size_t i, std::size_t j) { return memory[i * stride + j]; }
  [[nodiscard]] T const& at(std::size_t i, std::size_t j) const { return memory[i * stride + j]; }
  [[nodiscard]] prefopt::row_major<T const> read() const {
    return {memory.data(), rows, columns, static_cast<std::ptrdiff_t>(stride)};
  }
  [[nodiscard]] prefopt::row_major<T> write() {
    return {memory.data(), rows, columns, static_cast<std::ptrdiff_t>(stride)};
  }
};
