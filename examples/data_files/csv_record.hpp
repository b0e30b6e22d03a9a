#pragma once

#include <csv.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "text_stream.hpp"

/// The records of a CSV file one at a time (RFC 4180 through libcsv in strict mode). Blanks belong to the fields, and a
/// line that begins with # is as good as any: this is text that people wrote.
class csv_record {
 public:
  explicit csv_record(char delimiter);
  ~csv_record() { csv_free(&parser_); }
  csv_record(csv_record const&) = delete;
  csv_record& operator=(csv_record const&) = delete;

  /// Takes lines up to the end of a record; blank lines are none. False at the end of the text.
  bool take(text_stream& text);
  /// Of a line by itself; false where it is no whole record.
  bool parse(std::string_view line);

  std::vector<std::string> const& fields() const { return seen_.fields; }
  /// Where it began.
  std::size_t line() const { return line_; }

 private:
  /// What libcsv has told: it is C, and no exception may pass through it.
  struct seen {
    std::vector<std::string> fields;
    int records = 0;
    bool is_out_of_memory = false;
  };
  /// Gives libcsv a line; an empty one is the end of the text. False where it is no CSV.
  bool feed(std::string_view line);

  csv_parser parser_{};
  seen seen_;
  std::string text_;
  std::size_t line_ = 0;
};
