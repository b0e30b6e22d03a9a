#include "csv_table.hpp"

#include <algorithm>
#include <new>
#include <utility>

namespace {

bool is_blank(std::string_view line) { return line.find_first_not_of(" \t\r\n") == std::string_view::npos; }

}  // namespace

csv_table::parser::parser() {
  if (csv_init(this, CSV_STRICT | CSV_STRICT_FINI) != 0) throw std::bad_alloc{};
}

csv_table::csv_table(input_text input) : file_{std::move(input.file)}, content_{std::move(input.content)} {
  if (content_.starts_with("\xEF\xBB\xBF")) position_ = 3;
  if (!read_record()) throw error_at(file_, 0, {}, "empty, expected a header line and rows");
  for (std::size_t column = 0; column < ends_.size(); ++column) {
    std::string name{text(column)};
    if (name.empty()) {
      throw error_at(file_, line_, {}, "column " + std::to_string(column + 1) + " of the header has no name");
    }
    if (find(name)) throw error_at(file_, line_, name, "given twice in the header");
    header_.push_back(std::move(name));
  }
}

std::optional<std::size_t> csv_table::find(std::string_view name) const {
  auto const found = std::find(header_.begin(), header_.end(), name);
  if (found == header_.end()) return {};
  return static_cast<std::size_t>(found - header_.begin());
}

void csv_table::ignore(std::string_view name) {
  if (auto const column = find(name)) header_[*column].clear();
}

void csv_table::rename(std::string_view name, std::string_view to) {
  auto const column = find(name);
  if (column && !find(to)) header_[*column] = to;
}

bool csv_table::next_row() {
  if (!read_record()) return false;
  if (ends_.size() != header_.size()) {
    throw error_at(file_, line_, {},
                   "got " + std::to_string(ends_.size()) + (ends_.size() == 1 ? " field" : " fields") + ", expected " +
                       std::to_string(header_.size()) + " as in the header");
  }
  return true;
}

std::string_view csv_table::text(std::size_t column) const {
  std::size_t const begin = column == 0 ? 0 : ends_[column - 1];
  return std::string_view{fields_}.substr(begin, ends_[column] - begin);
}

/// libcsv is fed a line at a time: so the line number is known, and what is a comment.
bool csv_table::read_record() {
  auto const end_field = [](void* field, std::size_t size, void* self) noexcept {
    auto& table = *static_cast<csv_table*>(self);
    table.fields_.append(static_cast<char const*>(field), size);
    table.ends_.push_back(table.fields_.size());
  };
  auto const end_record = [](int, void* self) noexcept { static_cast<csv_table*>(self)->record_complete_ = true; };

  fields_.clear();
  ends_.clear();
  record_complete_ = false;
  bool begun = false;
  while (!record_complete_ && position_ < content_.size()) {
    std::string_view const line = take_line();
    if (!begun) {
      if (line.starts_with('#') || is_blank(line)) continue;
      begun = true;
      line_ = lines_taken_;
    }
    if (csv_parse(&parser_, line.data(), line.size(), end_field, end_record, this) != line.size()) {
      throw error_at(file_, lines_taken_, {},
                     "misplaced \" (quote a field whole, and write \"\" for a quote inside it)");
    }
  }
  if (begun && !record_complete_ && csv_fini(&parser_, end_field, end_record, this) != 0) {
    throw error_at(file_, line_, {}, "the file ends inside a quoted field that begins here");
  }
  return begun;
}

std::string_view csv_table::take_line() {
  std::size_t end = content_.find_first_of("\r\n", position_);
  if (end == std::string::npos) {
    end = content_.size();
  } else {
    end += content_.compare(end, 2, "\r\n") == 0 ? 2 : 1;
  }
  std::string_view const line{content_.data() + position_, end - position_};
  position_ = end;
  ++lines_taken_;
  return line;
}
