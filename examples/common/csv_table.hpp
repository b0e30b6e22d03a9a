#pragma once

#include <csv.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "column_table.hpp"
#include "input_lines.hpp"
#include "input_text.hpp"

/// A CSV file with a header line, read row by row (RFC 4180 through libcsv in strict mode).
///
/// Blank lines and lines that begin with '#' are skipped (a first field that begins with '#' has to be quoted), a UTF-8
/// byte order mark too; lines end in LF, CRLF or CR; blanks around an unquoted field are trimmed. The first column may
/// have no name, as pandas writes its index; it is ignored. Whatever is wrong throws an input_error that names the place.
class csv_table : public column_table {
 public:
  /// Reads the file a block at a time, "-" being standard input, or takes its text; and reads the header.
  explicit csv_table(std::string const& path) : csv_table{input_lines{path}} {}
  explicit csv_table(input_text input) : csv_table{input_lines{std::move(input)}} {}
  explicit csv_table(input_lines lines);

  bool next_row() override;

 private:
  bool read_record();
  /// ", separated by ;" where the file seems to have another separator than a comma.
  static std::string other_separator(std::string_view text);

  struct parser : csv_parser {
    parser();
    parser(parser const&) = delete;  // owns libcsv's buffer
    parser& operator=(parser const&) = delete;
    ~parser() { csv_free(this); }
  };
  parser parser_;
  bool record_complete_ = false;
};
