#pragma once

#include <string>

#include "json_text.hpp"
#include "record_reader.hpp"
#include "text_stream.hpp"

/// One JSON object a line; blank lines are passed over, and comments, lines that begin with that character, if any.
/// Counts the half surrogates that it replaces.
class json_lines : public record_reader {
 public:
  json_lines(text_stream& text, std::size_t& halves, number_form numbers = number_form::number, char comment = '\0')
      : text_{text}, halves_{halves}, numbers_{numbers}, comment_{comment} {}

  bool next(data_record& record) override;

 private:
  text_stream& text_;
  std::size_t& halves_;
  number_form numbers_;
  char comment_;
  std::string line_;
};
