#pragma once

#include <string>

#include "json_text.hpp"
#include "record_reader.hpp"
#include "text_stream.hpp"

/// The objects of one JSON array, which is all of the text, taken one at a time. Counts the half surrogates that it
/// replaces.
class json_array : public record_reader {
 public:
  /// The text is at the opening bracket.
  json_array(text_stream& text, std::size_t& halves, number_form numbers = number_form::number);

  bool next(data_record& record) override;

 private:
  /// Up to the comma or bracket that ends it.
  void take_element();

  text_stream& text_;
  std::size_t& halves_;
  number_form numbers_;
  std::string element_;
  bool is_first_ = true, is_over_ = false;
};
