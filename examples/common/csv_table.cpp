#include "csv_table.hpp"

#include <new>

namespace {

bool is_blank(std::string_view line) { return line.find_first_not_of(" \t\r\n") == std::string_view::npos; }

}  // namespace

csv_table::parser::parser() {
  if (csv_init(this, CSV_STRICT | CSV_STRICT_FINI) != 0) throw std::bad_alloc{};
}

csv_table::csv_table(input_lines lines) : column_table{std::move(lines)} {
  if (!read_record()) throw error_at(file(), 0, {}, "empty, expected a header line and rows");
  for (std::size_t column = 0; column < fields(); ++column) {
    std::string name{text(column)};
    if (name.empty() && (column != 0 || fields() == 1)) {
      throw error_at(file(), line_, {}, "column " + std::to_string(column + 1) + " of the header has no name");
    }
    if (find(name)) throw error_at(file(), line_, name, "given twice in the header");
    header_.push_back(std::move(name));
  }
  if (auto const other = other_separator(text(0)); fields() == 1 && !other.empty()) {
    throw error_at(file(), line_, {}, "the header's columns are separated by " + other + ", expected commas");
  }
}

std::string csv_table::other_separator(std::string_view text) {
  if (text.find(';') != text.npos) return "\";\"";
  return text.find('\t') != text.npos ? "tabs" : "";
}

bool csv_table::next_row() {
  if (!read_record()) return false;
  if (fields() != header_.size()) {
    auto const other = fields() == 1 ? other_separator(text(0)) : "";
    throw error_at(file(), line_, {},
                   "got " + std::to_string(fields()) + (fields() == 1 ? " field" : " fields") +
                       (other.empty() ? "" : " (separated by " + other + ", which are not commas)") + ", expected " +
                       std::to_string(header_.size()) + " as in the header");
  }
  return true;
}

/// libcsv is fed a line at a time: so the line number is known, and what is a comment.
bool csv_table::read_record() {
  auto const end_field = [](void* field, std::size_t size, void* self) noexcept {
    static_cast<csv_table*>(self)->add_field({static_cast<char const*>(field), size});
  };
  auto const end_record = [](int, void* self) noexcept { static_cast<csv_table*>(self)->record_complete_ = true; };

  clear_row();
  record_complete_ = false;
  bool begun = false;
  std::size_t size = 0;
  while (!record_complete_) {
    std::string_view const line = lines_.next();
    if (line.empty()) break;
    if (!begun) {
      if (line.starts_with('#') || is_blank(line)) continue;
      begun = true;
      line_ = lines_.number();
    }
    size += line.size();
    if (size > input_lines::longest) {
      throw error_at(file(), line_, {},
                     "a row of more than " + std::to_string(input_lines::longest >> 20) +
                         " MiB begins here, expected shorter ones (is a quoted field not closed?)");
    }
    if (csv_parse(&parser_, line.data(), line.size(), end_field, end_record, this) != line.size()) {
      throw error_at(file(), lines_.number(), {},
                     "misplaced \" (quote a field whole, and write \"\" for a quote inside it)");
    }
  }
  if (begun && !record_complete_ && csv_fini(&parser_, end_field, end_record, this) != 0) {
    throw error_at(file(), line_, {}, "the file ends inside a quoted field that begins here");
  }
  return begun;
}
