#include "json_lines.hpp"

bool json_lines::next(data_record& record) {
  for (std::size_t line = text_.line(), column = text_.column(); text_.take_line(line_);
       line = text_.line(), column = text_.column()) {
    if (line_.find_first_not_of(" \t\r\n") == line_.npos) continue;
    if (comment_ != '\0' && line_.starts_with(comment_)) continue;
    if (line_.ends_with('\n')) line_.pop_back();
    record.line = line;
    record.fields = json_object({text_.file(), line, column}, line_, halves_, record.names, numbers_);
    return true;
  }
  return false;
}
