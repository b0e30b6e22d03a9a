#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "column_table.hpp"
#include "record_reader.hpp"

/// JSON objects, one a line or all in one array, each a row: its names are the columns. Numbers are kept as they are
/// written, also NaN, Infinity and -Infinity, and null is a value that is not there. Between lines, blank ones and those
/// that begin with '#' are skipped.
class object_table : public column_table {
 public:
  /// The text is at the first object, or at the array's bracket.
  object_table(std::unique_ptr<text_stream> text, object_names names);

  bool next_row() override;

  std::size_t line() const override { return row_.line; }
  /// Empty where the row has none or null; true and false are those words.
  std::string_view text(std::size_t column) const override;
  /// true and false are 1 and 0.
  std::string_view text_of_number(std::size_t column) const override;
  bool is_absent(std::size_t column) const override;
  std::string note() const override;

 private:
  bool read_object();
  /// Throws where the names are not the first object's.
  void check_names() const;
  nlohmann::json const* value(std::size_t column) const;

  object_names names_;
  std::size_t halves_ = 0;
  std::unique_ptr<record_reader> reader_;
  data_record row_;
  std::map<std::string, std::size_t, std::less<>> columns_;  ///< by the names in the file
  std::vector<std::string_view> keys_;                       ///< of each column the name in the file
  bool is_first_ = true;
};
