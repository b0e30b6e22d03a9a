#include "csv_record.hpp"

#include <new>

csv_record::csv_record(char delimiter, csv_content content) : content_{content} {
  if (csv_init(&parser_, CSV_STRICT | CSV_STRICT_FINI) != 0) throw std::bad_alloc{};
  csv_set_delim(&parser_, static_cast<unsigned char>(delimiter));
  if (content == csv_content::text) csv_set_space_func(&parser_, [](unsigned char) { return 0; });
  csv_set_blk_size(&parser_, 1 << 16);
}

void csv_record::seen::clear() {
  fields.clear();
  ends.clear();
  records = 0;
}

bool csv_record::is_skipped(std::string_view line) const {
  return content_ == csv_content::numbers ? line.starts_with('#') || line.find_first_not_of(" \t\r\n") == line.npos
                                          : line.find_first_not_of("\r\n") == line.npos;
}

bool csv_record::take(text_stream& text) {
  seen_.clear();
  std::size_t length = 0;
  for (std::size_t number = text.line(); seen_.records == 0 && text.take_line(text_); number = text.line()) {
    if (length == 0) {
      if (is_skipped(text_)) continue;
      line_ = number;
    }
    length += text_.size();
    text.check_length(length, line_);
    if (!feed(text_)) {
      throw error_at(text.file(), number, {},
                     std::string{"misplaced \" (quote a field whole"} +
                         (content_ == csv_content::text ? ", right between the delimiters" : "") +
                         ", and write \"\" for a quote inside it)");
    }
    if (seen_.records > 1) throw error_at(text.file(), number, {}, "lines end in CR alone, expected LF or CRLF");
  }
  if (length != 0 && seen_.records == 0 && !feed({})) {
    throw error_at(text.file(), line_, {}, "the file ends inside a quoted field that begins here");
  }
  return seen_.records != 0;
}

bool csv_record::parse(std::string_view line) {
  seen_.clear();
  return feed(line) && (seen_.records != 0 || feed({})) && seen_.records == 1;
}

bool csv_record::feed(std::string_view line) {
  auto const end_field = [](void* field, std::size_t size, void* self) noexcept {
    auto& to = *static_cast<seen*>(self);
    try {
      to.fields.append(static_cast<char const*>(field), size);
      to.ends.push_back(to.fields.size());
    } catch (std::bad_alloc const&) {
      to.is_out_of_memory = true;
    }
  };
  auto const end_record = [](int, void* self) noexcept { ++static_cast<seen*>(self)->records; };
  bool const is_good =
      line.empty() ? csv_fini(&parser_, end_field, end_record, &seen_) == 0
                   : csv_parse(&parser_, line.data(), line.size(), end_field, end_record, &seen_) == line.size();
  if (seen_.is_out_of_memory || csv_error(&parser_) == CSV_ENOMEM) throw std::bad_alloc{};
  return is_good;
}
