#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "record_reader.hpp"
#include "text_stream.hpp"

/// A file of records: JSON lines, one JSON array, or CSV, plain, gzip or zstd; its content says which. Reads as it goes,
/// so that the file may be as long as one likes. Throws input_error with file and line.
class record_file {
 public:
  /// "-" is standard input. A CSV file is known by one of these columns in its header.
  record_file(std::string const& path, std::span<std::string_view const> columns, text_limits const& limits);

  record_file(record_file const&) = delete;  // the reader has a reference to the text
  record_file& operator=(record_file const&) = delete;

  bool next(data_record& record);

  std::string const& file() const { return text_.file(); }
  /// Where the reader is.
  std::size_t line() const { return text_.line(); }
  /// "JSON lines, gzip"
  std::string form() const;
  bool is_csv() const { return form_ == "CSV"; }
  /// Half surrogates that have been replaced.
  std::size_t halves() const { return halves_; }
  std::uint32_t checksum() const { return text_.checksum(); }

 private:
  text_stream text_;
  std::size_t halves_ = 0;
  std::string_view form_;
  std::unique_ptr<record_reader> reader_;
};
