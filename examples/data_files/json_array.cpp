#include "json_array.hpp"

json_array::json_array(text_stream& text, std::size_t& halves, number_form numbers)
    : text_{text}, halves_{halves}, numbers_{numbers} {
  text_.take(1);
}

bool json_array::next(data_record& record) {
  if (is_over_) return false;
  text_.take_blanks();
  std::string_view const next = text_.ahead();
  // An element ends at a comma, at the bracket, or where the file breaks off.
  if (!is_first_ && next.starts_with(',')) {
    text_.take(1);
    text_.take_blanks();
  } else if (next.starts_with(']')) {
    text_.take(1);
    text_.take_blanks();
    if (!text_.ahead().empty())
      throw text_.error("more follows behind the JSON array, expected its end to be the file's");
    is_over_ = true;
    return false;
  }
  is_first_ = false;
  std::size_t const column = text_.column();
  record.line = text_.line();
  take_element();
  if (element_.empty()) {
    throw text_.error("byte " + std::to_string(text_.column()) + " is not what JSON expects there: a JSON object");
  }
  record.fields = json_object({text_.file(), record.line, column}, element_, halves_, record.names, numbers_);
  return true;
}

void json_array::take_element() {
  element_.clear();
  std::size_t const line = text_.line();
  std::size_t depth = 0;
  bool is_text = false, is_escaped = false;
  for (std::string_view next = text_.ahead(); !next.empty(); next = text_.ahead()) {
    std::size_t count = 0;
    bool is_end = false;
    for (; count < next.size(); ++count) {
      char const c = next[count];
      if (is_text) {
        if (!is_escaped && c == '"') is_text = false;
        is_escaped = !is_escaped && c == '\\';
        continue;
      }
      is_end = depth == 0 && (c == ',' || c == ']');
      if (is_end) break;
      if (c == '"') is_text = true;
      if (c == '[' || c == '{') ++depth;
      if (depth > 0 && (c == ']' || c == '}')) --depth;
    }
    text_.check_length(element_.size() + count, line);
    element_.append(next.substr(0, count));
    text_.take(count);
    if (is_end) return;
  }
  throw error_at(text_.file(), line, {}, "the JSON array breaks off in what begins here, the file is truncated");
}
