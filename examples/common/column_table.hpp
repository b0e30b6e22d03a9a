#pragma once

#include <cstddef>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "input_error.hpp"
#include "input_lines.hpp"
#include "number_text.hpp"

/// Named columns of text, read row by row. Whatever is wrong throws an input_error that names the place.
class column_table {
 public:
  column_table(column_table const&) = delete;
  column_table& operator=(column_table const&) = delete;
  virtual ~column_table() = default;

  std::string const& file() const { return lines_.file(); }

  /// The names of the columns, in the file's order; empty for an ignored one.
  std::span<std::string const> header() const { return header_; }
  std::optional<std::size_t> find(std::string_view name) const;
  /// Takes the column's name away, if there is such a column.
  void ignore(std::string_view name);
  /// Calls the column by another name, if there is such a column and none of the other name.
  void rename(std::string_view name, std::string_view to);

  /// Goes to the next row; false at the end of the file.
  virtual bool next_row() = 0;

  /// The line on which the current row begins.
  std::size_t line() const { return line_; }
  std::string_view text(std::size_t column) const;
  template <class T>
  T number(std::size_t column, bool rounds_to_zero = false) const {
    if (std::numeric_limits<T>::has_quiet_NaN && is_null(column)) return std::numeric_limits<T>::quiet_NaN();
    auto const [value, problem] = parse_number<T>(text(column), rounds_to_zero);
    if (!problem.empty()) throw error(column, "got " + problem);
    return value;
  }

  /// An error at a field of the current row.
  input_error error(std::size_t column, std::string_view message) const {
    return error_at(file(), line_, header_[column], message);
  }

 protected:
  explicit column_table(input_lines lines) : lines_{std::move(lines)} {}

  void clear_row();
  void add_field(std::string_view text, bool is_null = false);
  std::size_t fields() const { return ends_.size(); }

  input_lines lines_;
  std::size_t line_ = 0;
  std::vector<std::string> header_;
  std::vector<std::string> ignored_;

 private:
  bool is_null(std::size_t column) const { return nulls_[column] != 0; }

  std::string fields_;             // of the current row, one after the other
  std::vector<std::size_t> ends_;  // where each of them ends
  std::vector<char> nulls_;        // whether each of them stands for no value
};

/// Whatever the file is: CSV, or JSON lines. "-" is standard input.
std::unique_ptr<column_table> open_table(std::string const& path);
