#pragma once

#include <cstddef>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include "input_text.hpp"

/// The lines of a file, one after the other, of which no more is kept than a block; they end in LF, CRLF or CR. A byte
/// order mark is skipped. Throws input_error for a file that cannot be opened or read, and for a line of more than
/// `longest` bytes.
class input_lines {
 public:
  static constexpr std::size_t longest = std::size_t{1} << 24;

  /// "-" is standard input.
  explicit input_lines(std::string const& path);
  explicit input_lines(input_text text);

  std::string const& file() const { return file_; }

  /// The next line with its end, until the next call; empty at the end of the file.
  std::string_view next();
  /// Of the line that next has given last, from 1 on.
  std::size_t number() const { return number_; }

  /// What comes next, as far as it is in memory: the whole file, or a block of it.
  std::string_view ahead();

 private:
  struct closer {
    void operator()(std::FILE* file) const;
  };

  /// False at the end of the file.
  bool read_block();
  void skip_mark();
  std::size_t end_of_line(std::size_t from) const;

  std::string file_;
  std::unique_ptr<std::FILE, closer> source_;  ///< empty once all is read
  std::string content_;
  std::size_t position_ = 0, number_ = 0;
};
