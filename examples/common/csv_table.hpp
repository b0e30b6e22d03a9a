#pragma once

#include <csv.h>

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "input_error.hpp"
#include "input_text.hpp"
#include "number_text.hpp"

/// A CSV file with a header line, read row by row (RFC 4180 through libcsv in strict mode).
///
/// Blank lines and lines that begin with '#' are skipped (a first field that begins with '#' has to be quoted), a UTF-8
/// byte order mark too; lines end in LF, CRLF or CR; blanks around an unquoted field are trimmed. Whatever is wrong
/// throws an input_error that names the place.
class csv_table {
 public:
  /// Reads the file, "-" being standard input, or takes its text; and reads the header.
  explicit csv_table(std::string const& path) : csv_table{read_input(path)} {}
  explicit csv_table(input_text input);
  csv_table(csv_table const&) = delete;  // owns libcsv's buffer
  csv_table& operator=(csv_table const&) = delete;

  std::string const& file() const { return file_; }

  /// The names of the columns, in the file's order; empty for an ignored one.
  std::span<std::string const> header() const { return header_; }
  std::optional<std::size_t> find(std::string_view name) const;
  /// Takes the column's name away, if there is such a column.
  void ignore(std::string_view name);
  /// Calls the column by another name, if there is such a column and none of the other name.
  void rename(std::string_view name, std::string_view to);

  /// Goes to the next row; false at the end of the file.
  bool next_row();

  /// The line on which the current row begins.
  std::size_t line() const { return line_; }
  std::string_view text(std::size_t column) const;
  template <class T>
  T number(std::size_t column) const {
    auto const [value, problem] = parse_number<T>(text(column));
    if (!problem.empty()) throw error(column, "got " + problem);
    return value;
  }

  /// An error at a field of the current row.
  input_error error(std::size_t column, std::string_view message) const {
    return error_at(file_, line_, header_[column], message);
  }

 private:
  bool read_record();
  std::string_view take_line();

  std::string file_;
  std::string content_;
  std::size_t position_ = 0;
  std::size_t lines_taken_ = 0;

  struct parser : csv_parser {
    parser();
    ~parser() { csv_free(this); }
  };
  parser parser_;
  std::string fields_;             // of the current row, one after the other
  std::vector<std::size_t> ends_;  // where each of them ends
  bool record_complete_ = false;
  std::size_t line_ = 0;

  std::vector<std::string> header_;
};
