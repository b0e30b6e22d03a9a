#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "column_table.hpp"
#include "ended_groups.hpp"

/// Rows of one name, a group's say, which stand one after the other in a file.
class named_rows {
 public:
  /// What the column names: "group".
  named_rows(column_table const& file, std::size_t column, std::string_view what)
      : file_{file}, column_{column}, what_{what} {}

  /// Whether the file's current row, which is not added yet, has the name of the last one.
  bool is_of_the_same() const { return first_line_ != 0 && file_.text(column_) == name_; }

  /// Adds the current row; whether it is the first of its name. Throws input_error for a name whose rows have ended.
  bool add_row() {
    std::string_view const name = file_.text(column_);
    if (name.empty()) throw file_.error(column_, "got empty, expected the name of the row's " + what_);
    bool const is_first = !is_of_the_same();
    if (is_first) begin(name);
    last_line_ = file_.line();
    return is_first;
  }

  std::string const& name() const { return name_; }
  std::size_t first_line() const { return first_line_; }

 private:
  void begin(std::string_view name) {
    if (first_line_ != 0) ended_.add(name_, last_line_);
    if (auto const ended = ended_.find(name)) {
      throw file_.error(column_, "got " + in_quotes(name) + ", a " + what_ + " whose rows ended in line " +
                                     std::to_string(*ended) + "; expected the rows of a " + what_ +
                                     " one after the other");
    }
    name_ = name;
    first_line_ = file_.line();
  }

  column_table const& file_;
  std::size_t column_;
  std::string what_, name_;  // of the current rows
  std::size_t first_line_ = 0, last_line_ = 0;
  ended_groups ended_;  // those before
};
