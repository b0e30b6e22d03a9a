#pragma once

#include <cstddef>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "input_error.hpp"
#include "input_text.hpp"

/// JSON objects, one a line or all in one array, read as the rows of a table as csv_table reads them: the columns are the
/// keys, those of the first object first. Whatever is wrong throws an input_error that names the place.
class object_table {
 public:
  explicit object_table(input_text input);

  std::string const& file() const { return file_; }

  /// The names of the columns, of the rows so far.
  std::span<std::string const> header() const { return header_; }
  std::optional<std::size_t> find(std::string_view name) const;

  bool next_row();

  /// The line of the current row; 0 where all are in one array.
  std::size_t line() const { return line_; }
  /// Empty where the row has none or null. A number, true or false is its text.
  std::string_view text(std::size_t column);
  bool is_absent(std::size_t column) const;

  input_error error(std::size_t column, std::string_view message) const {
    return error_in_row(header_[column], message);
  }

 private:
  bool read_row();
  nlohmann::json parse(std::string_view text, int depth_of_keys) const;
  void take_row(nlohmann::json row);
  input_error error_in_row(std::string_view where, std::string_view message) const;

  std::string file_, content_;
  std::size_t position_ = 0, line_ = 0, record_ = 0;
  nlohmann::json array_, row_;
  std::vector<std::string> header_;
  std::map<std::string, std::size_t, std::less<>> columns_;
  std::vector<std::string> shown_;  // of each column, the text of what is no string
  bool first_is_read_ = false;
};

/// Whether the text begins as one of JSON objects does.
bool holds_json(std::string_view content);
