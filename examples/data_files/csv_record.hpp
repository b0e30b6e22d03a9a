#pragma once

#include <csv.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "text_stream.hpp"

/// What a CSV file holds. In one of numbers and names blanks around an unquoted field are trimmed, and lines that begin
/// with # are skipped; in one of text that people wrote blanks belong to the fields, and such a line is as good as any.
enum class csv_content { numbers, text };

/// The records of a CSV file one at a time (RFC 4180 through libcsv in strict mode).
class csv_record {
 public:
  csv_record(char delimiter, csv_content content);
  ~csv_record() { csv_free(&parser_); }
  csv_record(csv_record const&) = delete;
  csv_record& operator=(csv_record const&) = delete;

  /// Takes lines up to the end of a record; blank lines are none. False at the end of the text.
  bool take(text_stream& text);
  /// Of a line by itself; false where it is no whole record.
  bool parse(std::string_view line);

  std::size_t size() const { return seen_.ends.size(); }
  std::string_view field(std::size_t number) const {
    std::size_t const begin = number == 0 ? 0 : seen_.ends[number - 1];
    return std::string_view{seen_.fields}.substr(begin, seen_.ends[number] - begin);
  }
  /// "2 fields"
  std::string count_text() const { return std::to_string(size()) + (size() == 1 ? " field" : " fields"); }
  /// Where it began.
  std::size_t line() const { return line_; }

 private:
  /// What libcsv has told: it is C, and no exception may pass through it.
  struct seen {
    std::string fields;             // one after the other
    std::vector<std::size_t> ends;  // where each of them ends
    int records = 0;
    bool is_out_of_memory = false;

    void clear();
  };
  bool is_skipped(std::string_view line) const;
  /// Gives libcsv a line; an empty one is the end of the text. False where it is no CSV.
  bool feed(std::string_view line);

  csv_parser parser_{};
  csv_content content_;
  seen seen_;
  std::string text_;
  std::size_t line_ = 0;
};
