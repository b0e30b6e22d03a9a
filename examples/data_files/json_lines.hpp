#pragma once

#include <string>

#include "record_reader.hpp"
#include "text_stream.hpp"

/// One JSON object a line; blank lines are passed over. Counts the half surrogates that it replaces.
class json_lines : public record_reader {
 public:
  json_lines(text_stream& text, std::size_t& halves) : text_{text}, halves_{halves} {}

  bool next(data_record& record) override;

 private:
  text_stream& text_;
  std::size_t& halves_;
  std::string line_;
};
