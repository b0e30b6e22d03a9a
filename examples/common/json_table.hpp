#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "column_table.hpp"

/// One JSON object a line, each a row: its names are the columns, the same in every line. Numbers are kept as they are
/// written, true and false are 1 and 0, and null is a number that is not there: nan, as pandas writes it. Blank lines and
/// lines that begin with '#' are skipped.
class json_table : public column_table {
 public:
  explicit json_table(input_lines lines);

  bool next_row() override;

 private:
  struct field {
    std::string name, text;
    bool is_null = false;
  };
  class reader;

  /// The next object's fields to object_; false at the end of the file.
  bool read_object();
  void take_object();

  std::vector<std::string> names_;  ///< of the header, before any was ignored
  std::vector<field> object_;       ///< longer than the current object, so that its texts keep their memory
  std::size_t size_ = 0;
  bool is_first_ = true;
};
