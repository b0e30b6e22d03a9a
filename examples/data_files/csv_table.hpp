#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "column_table.hpp"
#include "csv_record.hpp"

/// A CSV file of numbers and names with a header line.
///
/// Blank lines and lines that begin with '#' are skipped (a first field that begins with '#' has to be quoted); lines
/// may end in CR alone; blanks around an unquoted field are trimmed. The first column may have no name, as pandas writes
/// its index; it is ignored.
class csv_table : public column_table {
 public:
  /// Reads the header, at which the text is.
  explicit csv_table(std::unique_ptr<text_stream> text);

  bool next_row() override;

  std::size_t line() const override { return row_.line(); }
  std::string_view text(std::size_t column) const override { return row_.field(column); }

 private:
  csv_record row_{',', csv_content::numbers};
};
