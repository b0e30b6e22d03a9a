#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "byte_source.hpp"
#include "input_error.hpp"

/// What a reader takes at most, so that a file that is none, or a small one that unpacks to more than the machine can
/// hold, ends in a message.
struct text_limits {
  std::size_t line = std::size_t{64} << 20;     ///< bytes of a line, of an element of an array, or of a row
  std::uint64_t text = std::uint64_t{8} << 30;  ///< bytes of all of it, unpacked
  /// The options that raise them, for the messages; empty where there are none.
  std::string_view line_option = {}, text_option = {};
};

/// Where lines end: a line feed, or that and a carriage return, alone or before it.
enum class line_ends { feed, any };

/// The text of a file or of standard input ("-"), unpacked if its content says that it is gzip or zstd. Throws
/// input_error with file and line for what cannot be read or is beyond the limits.
class text_stream {
 public:
  text_stream(std::string const& path, text_limits const& limits, line_ends ends = line_ends::feed);

  std::string const& file() const { return file_; }
  /// "gzip", "zstd" or nothing.
  std::string_view compression() const { return compression_; }

  /// What comes next: at least so many bytes where there are as many.
  std::string_view ahead(std::size_t least = 1);
  void take(std::size_t count);
  /// Takes a byte order mark that comes next.
  void take_mark();
  /// Takes the blanks that come next, ends of lines included.
  void take_blanks();
  /// Takes a line with its end; false at the end of the text.
  bool take_line(std::string& line);

  /// The line of the next byte, and its place there, both from 1.
  std::size_t line() const { return line_; }
  std::size_t column() const { return column_; }
  /// CRC-32 of what has been read.
  std::uint32_t checksum() const { return checksum_; }

  /// Throws if what began on that line is longer than a line may be.
  void check_length(std::size_t length, std::size_t line) const;
  /// Of a text that makes no sense: throws if the cause is a packed file that is damaged. There is no more text then.
  void check_for_damage();
  input_error error(std::string_view message) const { return error_at(file_, line_, {}, message); }

 private:
  std::size_t read(std::span<char> room);
  /// Where the line ends that begins this text, which is what comes next: behind its end, or npos.
  std::size_t end_of_line(std::string_view& next);

  std::string file_;
  text_limits limits_;
  line_ends ends_;
  std::unique_ptr<byte_source> source_;
  std::string_view compression_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0, end_ = 0;
  std::size_t line_ = 1, column_ = 1;
  std::uint64_t total_ = 0;
  std::uint32_t checksum_ = 0;
};
