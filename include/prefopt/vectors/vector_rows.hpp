#pragma once

#include <cstddef>
#include <initializer_list>
#include <prefopt/batch/options.hpp>
#include <prefopt/core/errors.hpp>
#include <prefopt/view/row_major.hpp>
#include <string>

namespace prefopt::inline PREFOPT_ABI::detail {

// Rows of vectors that functions of this folder read, and the gradients by them.

template <class T>
void check_vectors(char const* where, char const* name, row_major<T const> const& vectors) {
  check_rows(where, name, vectors);
}

template <class T>
void check_same_vectors(char const* where, char const* name, row_major<T const> const& vectors, std::size_t rows,
                        std::size_t dimension) {
  check_rows(where, name, vectors);
  if (vectors.rows() == rows && vectors.columns() == dimension) return;
  fail(where, std::string{name} + " is " + shape(vectors) + ", expected " + text(rows) + " x " + text(dimension));
}

inline void check_vector_column(char const* where, char const* name, std::size_t size, std::size_t rows) {
  if (size == rows) return;
  fail(where, std::string{name} + " has " + elements(size) + ", there are " + text(rows) + " rows");
}

template <class T>
struct vector_target {
  char const* name;
  row_major<T> rows;
  std::size_t dimension;
};

template <class T>
struct vector_source {
  char const* name;
  row_major<T const> rows;
};

/// Targets that are wanted have their shape, and touch neither what is read nor each other.
template <class T>
void check_vector_targets(char const* where, std::initializer_list<vector_target<T>> targets,
                          std::initializer_list<vector_source<T>> sources, std::size_t rows) {
  for (auto const& target : targets) {
    if (!target.rows.given()) continue;
    check_target(where, target.name, target.rows, rows, target.dimension, "what it is the gradient by");
    auto const expect_apart = [&](char const* name, bool touches) {
      if (touches) fail(where, std::string{target.name} + " overlaps " + name);
    };
    for (auto const& source : sources) expect_apart(source.name, overlap(target.rows, source.rows));
    for (auto const& other : targets) {
      if (&other != &target && other.rows.given()) expect_apart(other.name, overlap(target.rows, other.rows));
    }
  }
}

/// One row of a target, if it is wanted: numbers rounded once, assigned or added.
template <class T>
class vector_writer {
 public:
  vector_writer(row_major<T> const& rows, std::size_t row, gradient_write how) noexcept
      : to_{rows.given() ? rows[row] : nullptr}, adds_{how == gradient_write::accumulate} {}

  void put(std::size_t i, double value) const noexcept {
    if (to_ != nullptr) to_[i] = static_cast<T>(adds_ ? static_cast<double>(to_[i]) + value : value);
  }

 private:
  T* to_;
  bool adds_;
};

}  // namespace prefopt::inline PREFOPT_ABI::detail
