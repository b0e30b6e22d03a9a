#include "record_file.hpp"

#include "csv_rows.hpp"
#include "file_kind.hpp"
#include "json_array.hpp"
#include "json_lines.hpp"

record_file::record_file(std::string const& path, std::span<std::string_view const> columns, text_limits const& limits)
    : text_{path, limits} {
  if (text_.ahead().empty()) throw error_at(file(), 0, {}, "is empty, expected one JSON object a line");
  text_.take_mark();
  text_.take_blanks();
  std::string_view const begin = text_.ahead(kind_begins);
  if (begin.empty()) throw error_at(file(), 0, {}, "has only blank lines, expected one JSON object a line");

  bool const is_text = begin.size() == 1 || begin[1] != '\0';  // or else UTF-16
  if (is_text && begin[0] == '{' && !begin.starts_with("{\\rtf")) {
    form_ = "JSON lines";
    reader_ = std::make_unique<json_lines>(text_, halves_);
  } else if (is_text && begin[0] == '[') {
    form_ = "a JSON array";
    reader_ = std::make_unique<json_array>(text_, halves_);
  } else if (auto const delimiter = csv_rows::delimiter(begin.substr(0, begin.find_first_of("\r\n")), columns)) {
    form_ = "CSV";
    reader_ = std::make_unique<csv_rows>(text_, *delimiter);
  } else {
    throw error_at(file(), 0, {},
                   "seems to be " + kind_text(begin,
                                              "JSON lines, a JSON array or CSV with a header of known columns, plain, "
                                              "gzip or zstd"));
  }
}

bool record_file::next(data_record& record) {
  try {
    return reader_->next(record);
  } catch (input_error const&) {
    text_.check_for_damage();
    throw;
  }
}

std::string record_file::form() const {
  std::string text{form_};
  if (!text_.compression().empty()) text.append(", ").append(text_.compression());
  return text;
}
