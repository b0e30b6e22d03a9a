#include "csv_record.hpp"

#include <new>

csv_record::csv_record(char delimiter) {
  if (csv_init(&parser_, CSV_STRICT | CSV_STRICT_FINI) != 0) throw std::bad_alloc{};
  csv_set_delim(&parser_, static_cast<unsigned char>(delimiter));
  csv_set_space_func(&parser_, [](unsigned char) { return 0; });
  csv_set_blk_size(&parser_, 1 << 16);
}

bool csv_record::take(text_stream& text) {
  seen_ = {};
  std::size_t length = 0;
  for (std::size_t number = text.line(); seen_.records == 0 && text.take_line(text_); number = text.line()) {
    if (length == 0) line_ = number;
    length += text_.size();
    text.check_length(length, line_);
    if (!feed(text_)) {
      throw error_at(text.file(), number, {},
                     "misplaced \" (a field that has one is quoted whole, right between the delimiters, with \"\" for "
                     "each quote inside it)");
    }
    if (text_.find_first_not_of("\r\n") == text_.npos && length == text_.size()) length = 0;
    if (seen_.records > 1) throw error_at(text.file(), number, {}, "lines end in CR alone, expected LF or CRLF");
  }
  if (length != 0 && seen_.records == 0 && !feed({})) {
    throw error_at(text.file(), line_, {}, "the file ends inside a quoted field of the row that begins here");
  }
  return seen_.records != 0;
}

bool csv_record::parse(std::string_view line) {
  seen_ = {};
  return feed(line) && (seen_.records != 0 || feed({})) && seen_.records == 1;
}

bool csv_record::feed(std::string_view line) {
  auto const end_field = [](void* field, std::size_t size, void* self) noexcept {
    auto& to = *static_cast<seen*>(self);
    try {
      to.fields.emplace_back(static_cast<char const*>(field), size);
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
