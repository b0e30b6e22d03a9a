#include "column_table.hpp"

#include <algorithm>

#include "csv_table.hpp"
#include "file_kind.hpp"
#include "object_table.hpp"

std::optional<std::size_t> column_table::find(std::string_view name) const {
  auto const found = std::find(header_.begin(), header_.end(), name);
  if (found == header_.end()) return {};
  return static_cast<std::size_t>(found - header_.begin());
}

void column_table::ignore(std::string_view name) {
  ignored_.emplace_back(name);
  if (auto const column = find(name)) header_[*column].clear();
}

std::string column_table::ignore_index() {
  std::string names;
  if (!header_.empty() && header_.front().empty()) names = "the first column, which has no name";
  // What an index without a name is called once it has been read and written again.
  for (std::string const name : {"Unnamed: 0", "Unnamed: 0.1"}) {
    if (!find(name)) continue;
    names.append(names.empty() ? "" : ", ").append(name);
    ignore(name);
  }
  return names.empty() ? names : "note: pandas' index is left out: " + names;
}

void column_table::rename(std::string_view name, std::string_view to) {
  auto const column = find(name);
  if (column && !find(to)) header_[*column] = to;
}

std::unique_ptr<column_table> open_table(std::unique_ptr<text_stream> text, object_names names) {
  text->take_mark();
  text->take_blanks();
  for (std::string comment; text->ahead().starts_with('#'); text->take_blanks()) text->take_line(comment);
  std::string_view const begin = text->ahead(kind_begins);
  if (is_of_another_kind(begin)) {
    throw error_at(text->file(), 0, {},
                   "seems to be " + kind_text(begin, "CSV with a header or JSON objects, plain, gzip or zstd"));
  }
  if (begin.starts_with('{') || begin.starts_with('[')) return std::make_unique<object_table>(std::move(text), names);
  return std::make_unique<csv_table>(std::move(text));
}
