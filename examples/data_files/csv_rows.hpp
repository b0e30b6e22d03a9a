#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "csv_record.hpp"
#include "record_reader.hpp"
#include "text_stream.hpp"

/// The rows of a CSV file under their header. Every field of a record is the cell's text; a column without a name, as
/// pandas writes its index, is left out.
class csv_rows : public record_reader {
 public:
  /// The delimiter (comma, tab or semicolon) with which the line is a header with one of the columns; or none.
  static std::optional<char> delimiter(std::string_view line, std::span<std::string_view const> columns);

  /// The text is at the header.
  csv_rows(text_stream& text, char delimiter);

  bool next(data_record& record) override;

 private:
  text_stream& text_;
  csv_record row_;
  std::vector<std::string> header_;
};
