#pragma once

#include <array>
#include <cstddef>
#include <prefopt/engine/any_loss.hpp>
#include <prefopt/engine/evaluate.hpp>
#include <string>
#include <vector>

#include "batch_parts.hpp"
#include "column_table.hpp"
#include "held_output.hpp"
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
                  prefopt::options const& options) {
    typename Family::template outputs<T> outputs;
    for (std::size_t c = 0; c < columns.size(); ++c) {
      auto const& row = Family::template results<T>[c];
      if (row.is_of_some && !loss.writes(static_cast<typename Family::output>(c))) continue;
      if (is_of_data(row.gradient_of)) continue;
      columns[c].resize(size);
      outputs.*row.values = columns[c];
    }
    report = prefopt::evaluate(loss, table.batch(), outputs, options);
  }

  /// The header of the CSV.
  std::string header() const {
    std::string all;
    for (std::size_t c = 0; c < columns.size(); ++c) {
      if (columns[c].empty()) continue;
      all.append(all.empty() ? "" : ",").append(Family::template results<T>[c].name);
    }
    return all += '\n';
  }

  /// Its rows.
  void append_to(held_output& output) const {
    std::string line;
    for (std::size_t i = 0; i < columns[Family::loss].size(); ++i) {
      line.clear();
      for (auto const& column : columns) {
        if (column.empty()) continue;
        if (!line.empty()) line += ',';
        append_number(line, column[i]);
      }
      output.append(line += '\n');
    }
  }

 private:
  /// A margin comes with the data: nothing is learned from the gradient by it.
  static bool is_of_data(int gradient_of) {
    if constexpr (requires { Family::margin; }) return gradient_of == static_cast<int>(Family::margin);
    return false;
  }
};

/// Scores a file's rows, some at a time, and writes the results when all are known to be right. read(table) takes the
/// current row into the table; seen(results) is shown what became of some rows.
template <class Family, class T, class Read, class Seen>
prefopt::report score_examples(column_table& file, prefopt::any_loss<Family> const& loss, score_command const& command,
                               Read const& read, Seen const& seen) {
  std::size_t const most = rows_at_once_for(loss, file);
  batch_parts parts{command, most != rows_at_once};
  held_output output;
  prefopt::report report;
  bool is_first = true, is_last = false;
  while (!is_last) {
    number_table<Family, T> table;
    std::size_t rows = 0, line = 0;
    while (rows < most && file.next_row()) {
      if (rows++ == 0) line = file.line();
      read(table);
    }
    is_last = rows < most;
    if (rows == 0) break;
    auto const results = parts(line, [&](prefopt::options const& options) {
      return example_results<Family, T>{loss, table, rows, options};
    });
    if (is_first) output.append(results.header());
    results.append_to(output);
    seen(results);
    report = results.report;
    is_first = false;
  }
  if (is_first) throw error_at(file.file(), 0, {}, "only a header, expected at least one row");
  check_sum_of_weights<T>(file, report);
  output.release();
  return report;
}
