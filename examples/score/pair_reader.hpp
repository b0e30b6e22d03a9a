#pragma once

#include <cstddef>
#include <optional>
#include <prefopt/engine/any_loss.hpp>
#include <string>
#include <vector>

#include "column_table.hpp"
#include "number_table.hpp"
#include "score_columns.hpp"
#include "score_command.hpp"

/// Each row's reliability where it comes from the command line: one value for all, or the one of the row's annotator.
template <class T>
class reliability_source {
 public:
  reliability_source(column_table const& file, prefopt::any_pair_loss const& loss, std::vector<double> const& values);

  void append(column_table const& file, std::vector<T>& reliability) const;

 private:
  std::vector<double> const& values_;
  std::optional<std::size_t> column_;
};

/// Who labelled a row.
struct row_annotator {
  std::string name;
  bool is_skipped;  ///< the row is left out
};

/// Reads pairs row by row, T being float or double. Every column has to be one that the loss reads (or one that the
/// command ignores), and every value one that it can take; what is not throws an input_error.
template <class T>
class pair_reader {
 public:
  pair_reader(column_table& file, prefopt::any_pair_loss const& loss, score_command const& command);

  /// Takes the current row.
  void read(number_table<prefopt::pair_family, T>& pairs);

  /// The annotators of the rows read since this was asked last; empty without that column.
  std::vector<row_annotator> take_annotators() { return std::exchange(annotators_, {}); }

  /// Lines for the user.
  std::vector<std::string> notes() const { return {note_on_index_, file_.note(), numbers_.note_on_signs()}; }

 private:
  /// Whether the last row is left out.
  bool is_skipped(number_table<prefopt::pair_family, T> const& pairs) const;

  column_table& file_;
  std::string note_on_index_;
  number_reader<prefopt::pair_family, T> numbers_;
  reliability_source<T> reliability_;
  std::optional<std::size_t> annotator_;
  bool skips_non_finite_, skips_empty_;
  std::vector<row_annotator> annotators_;
};
