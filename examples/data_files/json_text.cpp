#include "json_text.hpp"

#include <algorithm>
#include <charconv>
#include <set>
#include <vector>

#include "input_error.hpp"
#include "name_text.hpp"

namespace {

using nlohmann::json;

constexpr int deepest = 100;

/// The number in \uXXXX, or none.
int escaped_unit(std::string_view text) {
  int unit = -1;
  if (text.size() < 6 || !text.starts_with("\\u")) return -1;
  auto const [end, error] = std::from_chars(text.data() + 2, text.data() + 6, unit, 16);
  return error == std::errc{} && end == text.data() + 6 && text[2] != '-' ? unit : -1;
}

std::size_t replace_half_surrogates(std::string& text) {
  std::size_t halves = 0;
  if (text.find("\\u") == text.npos) return halves;
  for (std::size_t i = text.find('\\'); i != text.npos;) {
    std::string_view const rest = std::string_view{text}.substr(i);
    int const unit = escaped_unit(rest);
    bool const is_high = unit >= 0xD800 && unit < 0xDC00, is_low = unit >= 0xDC00 && unit < 0xE000;
    int const next = is_high ? escaped_unit(rest.substr(6)) : -1;
    bool const is_pair = next >= 0xDC00 && next < 0xE000;
    if ((is_high && !is_pair) || is_low) {
      text.replace(i, 6, "\\uFFFD");
      ++halves;
    }
    // A backslash takes what follows it along: another one does not begin an escape.
    i = text.find('\\', i + (is_pair ? 12 : 2));
  }
  return halves;
}

/// Other programs write NaN and Infinity, for which JSON has no word. `byte` counts from 1. Names the field, too.
void refuse_not_a_number(text_place const& place, std::size_t line, std::string_view text, std::size_t byte) {
  for (std::string_view const word : {"NaN", "nan", "Infinity", "inf"}) {
    if (!text.substr(byte - 1).starts_with(word)) continue;
    // The name of the field is the last that stands before a colon.
    std::size_t const colon = text.substr(0, byte).rfind("\":");
    std::size_t const quote = colon == text.npos || colon == 0 ? text.npos : text.rfind('"', colon - 1);
    if (quote == text.npos) return;
    throw error_at(place.file, line, name_text(text.substr(quote + 1, colon - quote - 1)),
                   "got " + std::string{word} + ", expected a finite number");
  }
}

[[noreturn]] void tell(json::parse_error const& error, text_place const& place, std::string_view text) {
  // Of a text over several lines, the line and its byte.
  std::size_t const byte = std::clamp<std::size_t>(error.byte, 1, text.size() + 1);
  std::string_view const before = text.substr(0, byte - 1);
  std::size_t const line = place.line + static_cast<std::size_t>(std::ranges::count(before, '\n'));
  std::size_t const end = before.rfind('\n');
  std::string const place_in_line =
      "byte " + std::to_string(end == before.npos ? place.column - 1 + byte : byte - end - 1);

  std::string_view const what = error.what();
  if (what.find("UTF-8") != what.npos) throw error_at(place.file, line, {}, place_in_line + " is not UTF-8");
  if (byte > text.size())
    throw error_at(place.file, line, {}, "the JSON breaks off at the end of the line, expected a whole object");
  refuse_not_a_number(place, line, text, byte);
  throw error_at(place.file, line, {}, place_in_line + " is not what JSON expects there");
}

}  // namespace

std::string_view kind_of(json const& value) {
  switch (value.type()) {
    case json::value_t::null:
      return "null";
    case json::value_t::object:
      return "an object";
    case json::value_t::array:
      return "an array";
    case json::value_t::string:
      return "a string";
    case json::value_t::boolean:
      return "a boolean";
    default:
      return "a number";
  }
}

json json_object(text_place const& place, std::string& text, std::size_t& halves) {
  halves += replace_half_surrogates(text);
  std::vector<std::set<std::string, std::less<>>> keys;  // of the objects that are open, the outermost first
  auto const check = [&](int depth, json::parse_event_t event, json& value) {
    if (event == json::parse_event_t::object_start || event == json::parse_event_t::array_start) {
      if (depth >= deepest) {
        throw error_at(place.file, place.line, {},
                       "arrays and objects lie more than " + std::to_string(deepest) + " deep in each other");
      }
      keys.resize(static_cast<std::size_t>(depth) + 1);
      keys.back().clear();
    } else if (event == json::parse_event_t::key) {
      keys.resize(static_cast<std::size_t>(depth));
      auto const& name = value.get_ref<std::string const&>();
      if (!keys.back().insert(name).second) {
        throw error_at(place.file, place.line, name_text(name), "stands twice in one object");
      }
    }
    return true;
  };
  try {
    json value = json::parse(text, check);
    if (!value.is_object()) {
      throw error_at(place.file, place.line, {},
                     std::string{"got "}.append(kind_of(value)).append(", expected a JSON object"));
    }
    return value;
  } catch (json::parse_error const& error) {
    tell(error, place, text);
  } catch (json::out_of_range const&) {
    throw error_at(place.file, place.line, {}, "a number is too large");
  }
}
