#include "column_table.hpp"

#include <algorithm>
#include <utility>

#include "csv_table.hpp"
#include "json_table.hpp"

namespace {

/// The first character that is neither blank nor of a comment, or 0.
char first_character(std::string_view text) {
  for (;;) {
    std::size_t const begin = text.find_first_not_of(" \t\r\n");
    if (begin == text.npos) return 0;
    if (text[begin] != '#') return text[begin];
    std::size_t const end = text.find_first_of("\r\n", begin);
    if (end == text.npos) return 0;
    text.remove_prefix(end);
  }
}

}  // namespace

std::optional<std::size_t> column_table::find(std::string_view name) const {
  auto const found = std::find(header_.begin(), header_.end(), name);
  if (found == header_.end()) return {};
  return static_cast<std::size_t>(found - header_.begin());
}

void column_table::ignore(std::string_view name) {
  ignored_.emplace_back(name);
  if (auto const column = find(name)) header_[*column].clear();
}

void column_table::rename(std::string_view name, std::string_view to) {
  auto const column = find(name);
  if (column && !find(to)) header_[*column] = to;
}

std::string_view column_table::text(std::size_t column) const {
  std::size_t const begin = column == 0 ? 0 : ends_[column - 1];
  return std::string_view{fields_}.substr(begin, ends_[column] - begin);
}

void column_table::clear_row() {
  fields_.clear();
  ends_.clear();
  nulls_.clear();
}

void column_table::add_field(std::string_view text, bool is_null) {
  fields_.append(text);
  ends_.push_back(fields_.size());
  nulls_.push_back(is_null ? 1 : 0);
}

std::unique_ptr<column_table> open_table(std::string const& path) {
  input_lines lines{path};
  char const first = first_character(lines.ahead());
  if (first == '[') {
    throw error_at(lines.file(), 0, {},
                   "seems to be one JSON array, expected CSV with a header or one JSON object a line");
  }
  if (first == '{') return std::make_unique<json_table>(std::move(lines));
  return std::make_unique<csv_table>(std::move(lines));
}
