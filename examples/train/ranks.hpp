#pragma once

#include <array>
#include <cstddef>
#include <exception>
#include <prefopt/core/all_reduce.hpp>
#include <span>

/// Thrown by a rank that has to stop because of an error that another rank tells.
struct told_elsewhere : std::exception {
  char const* what() const noexcept override { return "another rank has failed"; }
};

/// The processes that train together, each on its share of every batch. By default there is one.
struct ranks {
  std::size_t rank = 0, count = 1;
  prefopt::all_reduce sum{};  ///< over all of them

  /// The one that writes files and tells what is done.
  bool is_first() const { return rank == 0; }

  /// This rank's part of what all ranks have. There may be fewer than ranks, so that it is empty.
  template <class T>
  std::span<T const> share(std::span<T const> all) const {
    std::size_t const begin = all.size() * rank / count, end = all.size() * (rank + 1) / count;
    return all.subspan(begin, end - begin);
  }

  /// Runs the body, which must not sum, and goes on when every rank has. If it throws on some of them, each throws:
  /// what all meet alike is told by the first rank, anything else by those that met it.
  template <class Body>
  void together(Body const& body) const {
    std::exception_ptr error;
    try {
      body();
    } catch (...) {
      error = std::current_exception();
    }
    double const failed = error ? 1 : 0;
    std::array<double, 2> failures{failed, is_first() ? failed : 0};
    sum(failures);
    if (failures[0] == 0) return;
    if (error && (is_first() || failures[1] == 0)) std::rethrow_exception(error);
    throw told_elsewhere{};
  }
};
