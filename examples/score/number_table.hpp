#pragma once

#include <array>
#include <cstddef>
#include <prefopt/batch/groups.hpp>
#include <prefopt/batch/pairs.hpp>
#include <vector>

/// The columns of a family's batch, owned, in the order of the family's table. Those that a file does not have are
/// empty.
template <class Family, class T>
struct number_table {
  std::array<std::vector<T>, Family::input_count> columns;

  [[nodiscard]] std::vector<T> const& operator[](typename Family::input column) const { return columns[column]; }

  /// Views of the columns that are there.
  [[nodiscard]] typename Family::template batch<T> batch() const {
    typename Family::template batch<T> batch;
    for (std::size_t c = 0; c < columns.size(); ++c) {
      if (!columns[c].empty()) batch.*Family::template inputs<T>[c].values = columns[c];
    }
    return batch;
  }
};
