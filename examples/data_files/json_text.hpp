#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

/// Where a text stands: its first byte is the byte of that number (from 1) in that line.
struct text_place {
  std::string const& file;
  std::size_t line, column = 1;
};

/// Numbers, or the texts that they are written as, which have all their digits; beside texts the words that Python writes
/// for what is not finite, NaN, Infinity and -Infinity, are taken, too, and become numbers.
enum class number_form { number, text };

/// One JSON object. Of a surrogate that has no other half (half an emoji) as \uD83D, U+FFFD is made; their number is
/// added to halves. The names of its fields go into `names`, in order. Throws input_error for what is no object, and for
/// a key that an object has twice.
nlohmann::json json_object(text_place const& place, std::string& text, std::size_t& halves,
                           std::vector<std::string>& names, number_form numbers = number_form::number);

/// For the user, on half surrogates that were replaced; nothing of none.
std::string note_on_halves(std::size_t halves);

/// "null", "an object", ...
std::string_view kind_of(nlohmann::json const& value);
