#include "csv_table.hpp"

#include <utility>

namespace {

/// What seems to stand between the columns, if it is no comma.
std::string other_separator(std::string_view text) {
  if (text.find(';') != text.npos) return "\";\"";
  return text.find('\t') != text.npos ? "tabs" : "";
}

}  // namespace

csv_table::csv_table(std::unique_ptr<text_stream> text) : column_table{std::move(text)} {
  if (!row_.take(*text_)) throw error_at(file(), 0, {}, "empty, expected a header line and rows");
  for (std::size_t column = 0; column < row_.size(); ++column) {
    std::string name{row_.field(column)};
    if (name.empty() && (column != 0 || row_.size() == 1)) {
      throw error_at(file(), line(), {}, "column " + std::to_string(column + 1) + " of the header has no name");
    }
    if (find(name)) throw error_at(file(), line(), name, "given twice in the header");
    header_.push_back(std::move(name));
  }
  if (auto const other = other_separator(row_.field(0)); row_.size() == 1 && !other.empty()) {
    throw error_at(file(), line(), {}, "the header's columns are separated by " + other + ", expected commas");
  }
}

bool csv_table::next_row() {
  if (!row_.take(*text_)) return false;
  if (row_.size() != header_.size()) {
    auto const other = row_.size() == 1 ? other_separator(row_.field(0)) : "";
    throw error_at(file(), line(), {},
                   "got " + row_.count_text() +
                       (other.empty() ? "" : " (separated by " + other + ", which are not commas)") + ", expected " +
                       std::to_string(header_.size()) + " as in the header");
  }
  return true;
}
