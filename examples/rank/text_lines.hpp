#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "input_error.hpp"
#include "text_stream.hpp"

/// One line of a file, without blanks around it.
struct text_line {
  std::string_view file;
  std::size_t number;
  std::string_view text;

  bool is_comment() const { return text.starts_with('#'); }

  /// An error somewhere in this line: FILE:LINE: WHERE: MESSAGE.
  input_error error(std::string_view where, std::string_view message) const {
    return error_at(file, number, where, message);
  }
};

/// The lines of a text, which end in LF, CRLF or CR.
class text_lines {
 public:
  /// Takes all of it.
  explicit text_lines(text_stream& text);
  text_lines(std::string file, std::string content);
  text_lines(text_lines const&) = delete;  // the lines are views
  text_lines& operator=(text_lines const&) = delete;

  std::string const& file() const { return file_; }
  /// Those that are not blank.
  std::vector<text_line> const& lines() const { return lines_; }

 private:
  std::string file_, content_;
  std::vector<text_line> lines_;
};
