#include "csv_rows.hpp"

#include <unicode/utf8.h>

#include <algorithm>
#include <cstdint>
#include <set>
#include <utility>

#include "name_text.hpp"

namespace {

bool is_utf8(std::string_view text) {
  auto const* const bytes = reinterpret_cast<std::uint8_t const*>(text.data());
  for (std::size_t i = 0; i < text.size();) {
    std::int32_t unit = 0;
    U8_NEXT(bytes, i, text.size(), unit);
    if (unit < 0) return false;
  }
  return true;
}

}  // namespace

std::optional<char> csv_rows::delimiter(std::string_view line, std::span<std::string_view const> columns) {
  for (char const delimiter : {',', '\t', ';'}) {
    csv_record header{delimiter, csv_content::text};
    if (!header.parse(line)) continue;
    for (std::size_t i = 0; i < header.size(); ++i) {
      if (std::ranges::find(columns, header.field(i)) != columns.end()) return delimiter;
    }
  }
  return {};
}

csv_rows::csv_rows(text_stream& text, char delimiter) : text_{text}, row_{delimiter, csv_content::text} {
  row_.take(text);
  std::set<std::string> names;
  for (std::size_t i = 0; i < row_.size(); ++i) {
    std::string name{row_.field(i)};
    if (!name.empty() && !names.insert(name).second) {
      throw error_at(text.file(), row_.line(), name_text(name), "given twice in the header");
    }
    if (!is_utf8(name)) throw error_at(text.file(), row_.line(), {}, "the header is not UTF-8");
    header_.push_back(std::move(name));
  }
}

bool csv_rows::next(data_record& record) {
  if (!row_.take(text_)) return false;
  if (row_.size() != header_.size()) {
    throw error_at(text_.file(), row_.line(), {},
                   "got " + row_.count_text() + ", expected " + std::to_string(header_.size()) + " as in the header");
  }
  record.line = row_.line();
  record.fields = nlohmann::json::object();
  for (std::size_t i = 0; i < header_.size(); ++i) {
    if (header_[i].empty()) continue;
    std::string_view const field = row_.field(i);
    if (!is_utf8(field)) {
      throw error_at(text_.file(), row_.line(), name_text(header_[i]),
                     "is not UTF-8; this makes it of Latin-1: iconv -f LATIN1 -t UTF-8 FILE");
    }
    record.fields[header_[i]] = field;
  }
  return true;
}
