#pragma once

#include <array>
#include <cstddef>
#include <prefopt/engine/any_loss.hpp>
#include <prefopt/engine/evaluate.hpp>
#include <string>
#include <vector>

#include "number_table.hpp"
#include "number_text.hpp"
#include "score_command.hpp"

// What pairs and single completions have in common: a row of the file is an example, and so is a row of the results.

/// The outputs of a loss over a table, owned, in the order of the family's table. Those that it does not write are
/// empty.
template <class Family, class T>
struct example_results {
  std::array<std::vector<T>, Family::output_count> columns;
  prefopt::report report;

  example_results(prefopt::any_loss<Family> const& loss, number_table<Family, T> const& table, std::size_t size,
                  score_command const& command) {
    typename Family::template outputs<T> outputs;
    for (std::size_t c = 0; c < columns.size(); ++c) {
      auto const& row = Family::template results<T>[c];
      if (row.is_of_some && !loss.writes(static_cast<typename Family::output>(c))) continue;
      if (is_of_data(row.gradient_of)) continue;
      columns[c].resize(size);
      outputs.*row.values = columns[c];
    }
    report = prefopt::evaluate(
        loss, table.batch(), outputs,
        {.reduction = prefopt::reduction::none, .non_finite = command.non_finite, .empty = command.empty});
  }

  /// As CSV, with a header.
  std::string text() const {
    std::string all;
    for (std::size_t c = 0; c < columns.size(); ++c) {
      if (columns[c].empty()) continue;
      all.append(all.empty() ? "" : ",").append(Family::template results<T>[c].name);
    }
    all += '\n';
    for (std::size_t i = 0; i < columns[Family::loss].size(); ++i) {
      bool first = true;
      for (auto const& column : columns) {
        if (column.empty()) continue;
        all.append(first ? "" : ",").append(number_text(column[i]));
        first = false;
      }
      all += '\n';
    }
    return all;
  }

 private:
  /// A margin comes with the data: nothing is learned from the gradient by it.
  static bool is_of_data(int gradient_of) {
    if constexpr (requires { Family::margin; }) return gradient_of == static_cast<int>(Family::margin);
    return false;
  }
};
