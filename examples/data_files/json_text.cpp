#include "json_text.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "input_error.hpp"
#include "name_text.hpp"

namespace {

using nlohmann::json;

constexpr std::size_t deepest = 100;

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

/// What Python writes for numbers that JSON has no word for, and in its place a number as long, so that all else stays
/// where it is.
struct number_word {
  std::string_view word, stand_in;
  double value;
};
constexpr number_word number_words[] = {{"NaN", "0e0", std::numeric_limits<double>::quiet_NaN()},
                                        {"Infinity", "0e000000", std::numeric_limits<double>::infinity()},
                                        {"-Infinity", "-0e000000", -std::numeric_limits<double>::infinity()}};

/// Puts the stand-ins in; false, and nothing is changed, where there is no such word or a stand-in was there before.
bool replace_number_words(std::string& text) {
  if (text.find("NaN") == text.npos && text.find("Infinity") == text.npos) return false;
  constexpr std::string_view of_numbers = "+-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  std::vector<std::pair<std::size_t, std::string_view>> places;
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] == '"') {
      for (++i; i < text.size() && text[i] != '"'; ++i) i += text[i] == '\\' ? 1 : 0;
      ++i;
      continue;
    }
    std::size_t const end = std::min(text.find_first_not_of(of_numbers, i), text.size());
    std::string_view const written = std::string_view{text}.substr(i, end - i);
    for (auto const& number : number_words) {
      if (written == number.stand_in) return false;
      if (written == number.word) places.emplace_back(i, number.stand_in);
    }
    i = std::max(end, i + 1);
  }
  for (auto const& [place, stand_in] : places) text.replace(place, stand_in.size(), stand_in);
  return !places.empty();
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
                   "got " + std::string{word} + ", expected a finite number, or null for none");
  }
}

/// Makes an object of what nlohmann's parser tells of a text, and throws where that is none.
class object_builder {
 public:
  object_builder(text_place const& place, std::string_view text, std::vector<std::string>& names, number_form numbers,
                 bool has_stand_ins)
      : place_{place},
        text_{text},
        names_{names},
        keeps_texts_{numbers == number_form::text},
        has_stand_ins_{has_stand_ins} {
    names_.clear();
  }

  bool null() { return add(nullptr); }
  bool boolean(bool value) { return add(value); }
  bool number_integer(std::int64_t value) { return number(value, std::to_string(value)); }
  bool number_unsigned(std::uint64_t value) { return number(value, std::to_string(value)); }
  bool number_float(double value, std::string const& text) {
    if (has_stand_ins_) {
      auto const of_word = std::ranges::find(number_words, text, &number_word::stand_in);
      if (of_word != std::end(number_words)) return add(of_word->value);
    }
    return number(value, text);
  }
  bool string(std::string& value) { return add(std::move(value)); }
  bool binary(json::binary_t&) { return false; }  // JSON has none
  bool start_object(std::size_t) { return open(json::object()); }
  bool start_array(std::size_t) { return open(json::array()); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }
  bool key(std::string& name) {
    auto const [place, is_new] = open_.back()->get_ref<json::object_t&>().try_emplace(std::move(name));
    if (!is_new) throw error_at(place_.file, place_.line, name_text(place->first), "stands twice in one object");
    next_ = &place->second;
    if (open_.size() == 1) names_.push_back(place->first);
    return true;
  }
  bool parse_error(std::size_t at, std::string const&, json::exception const& error) {
    // Of a text over several lines, the line and its byte.
    std::size_t const byte = std::clamp<std::size_t>(at, 1, text_.size() + 1);
    std::string_view const before = text_.substr(0, byte - 1);
    std::size_t const line = place_.line + static_cast<std::size_t>(std::ranges::count(before, '\n'));
    std::size_t const end = before.rfind('\n');
    std::string const place_in_line =
        "byte " + std::to_string(end == before.npos ? place_.column - 1 + byte : byte - end - 1);

    constexpr int out_of_range = 406;
    std::string_view const what = error.what();
    if (error.id == out_of_range) throw error_at(place_.file, line, {}, "a number is too large");
    if (what.find("UTF-8") != what.npos) throw error_at(place_.file, line, {}, place_in_line + " is not UTF-8");
    if (byte > text_.size())
      throw error_at(place_.file, line, {}, "the JSON breaks off at the end of the line, expected a whole object");
    refuse_not_a_number(place_, line, text_, byte);
    throw error_at(place_.file, line, {}, place_in_line + " is not what JSON expects there");
  }

  json built() { return std::move(root_); }

 private:
  template <class T>
  bool number(T value, std::string const& text) {
    return keeps_texts_ && !open_.empty() ? add(text) : add(value);
  }
  json* add(json value) {
    if (open_.empty()) {
      if (!value.is_object()) {
        throw error_at(place_.file, place_.line, {},
                       std::string{"got "}.append(kind_of(value)).append(", expected a JSON object"));
      }
      root_ = std::move(value);
      return &root_;
    }
    if (!open_.back()->is_array()) return &(*next_ = std::move(value));
    auto& elements = open_.back()->get_ref<json::array_t&>();
    elements.push_back(std::move(value));
    return &elements.back();
  }
  bool open(json value) {
    if (open_.size() >= deepest) {
      throw error_at(place_.file, place_.line, {},
                     "arrays and objects lie more than " + std::to_string(deepest) + " deep in each other");
    }
    open_.push_back(add(std::move(value)));
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  text_place const& place_;
  std::string_view text_;
  std::vector<std::string>& names_;
  bool keeps_texts_, has_stand_ins_;
  json root_;
  std::vector<json*> open_;  ///< the outermost first; what an array holds moves only while none of it is open
  json* next_ = nullptr;     ///< where the value of the last key goes
};

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

json json_object(text_place const& place, std::string& text, std::size_t& halves, std::vector<std::string>& names,
                 number_form numbers) {
  halves += replace_half_surrogates(text);
  bool const has_stand_ins = numbers == number_form::text && replace_number_words(text);
  object_builder builder{place, text, names, numbers, has_stand_ins};
  json::sax_parse(text, &builder);
  return builder.built();
}

std::string note_on_halves(std::size_t halves) {
  if (halves == 0) return {};
  return "note: " + std::to_string(halves) + (halves == 1 ? " lone surrogate" : " lone surrogates") +
         ", half an emoji each, became U+FFFD";
}
