#include "record_fields.hpp"

#include <algorithm>

#include "input_error.hpp"
#include "json_text.hpp"

using nlohmann::json;

namespace {

std::string sentence(std::string_view got, std::string_view expected) {
  return std::string{"got "}.append(got).append(", expected ").append(expected);
}

}  // namespace

json const* record_fields::find(std::string_view field) const {
  auto const found = fields_.find(field);
  return found == fields_.end() || found->is_null() ? nullptr : &*found;
}

bool record_fields::has_any(std::initializer_list<std::string_view> fields) const {
  return std::ranges::any_of(fields, [&](std::string_view field) { return has(field); });
}

json const& record_fields::required(std::string_view field, std::string_view expected) const {
  if (json const* const value = find(field)) return *value;
  fail(field,
       fields_.contains(field) ? sentence("null", expected) : std::string{"is missing, expected "}.append(expected));
}

std::string const& record_fields::text(std::string_view field) const {
  json const& value = required(field, "a string");
  if (!value.is_string()) fail(field, value, "a string");
  return value.get_ref<std::string const&>();
}

json const& record_fields::array(std::string_view field, std::string_view expected) const {
  json const& value = required(field, expected);
  if (!value.is_array()) fail(field, value, expected);
  return value;
}

std::vector<std::string> record_fields::texts(std::string_view field) const {
  std::vector<std::string> texts;
  for (json const& value : array(field, "an array of strings")) {
    if (!value.is_string()) fail_at(field, texts.size(), kind_of(value), "a string");
    texts.push_back(value.get<std::string>());
  }
  return texts;
}

std::vector<double> record_fields::numbers(std::string_view field, double low, double high, std::string_view expected,
                                           std::size_t responses) const {
  std::vector<double> numbers;
  for (json const& value : array(field, "an array of numbers")) {
    if (!value.is_number()) fail_at(field, numbers.size(), kind_of(value), expected);
    auto const number = value.get<double>();
    if (!(number >= low && number <= high)) fail_at(field, numbers.size(), value.dump(), expected);
    numbers.push_back(number);
  }
  if (numbers.size() != responses) {
    fail(field, sentence(std::to_string(numbers.size()) + (numbers.size() == 1 ? " number" : " numbers"),
                         std::to_string(responses) + ", one for each of the responses"));
  }
  return numbers;
}

bool record_fields::number(std::string_view field, double low, double high, std::string_view expected,
                           double& result) const {
  json const* const value = find(field);
  if (value == nullptr) return false;
  if (!value->is_number()) fail(field, *value, expected);
  result = value->get<double>();
  if (!(result >= low && result <= high)) fail(field, sentence(value->dump(), expected));
  return true;
}

double record_fields::truth(std::string_view field) const {
  constexpr std::string_view expected = "true or false, or a number from 0 to 1";
  json const& value = required(field, expected);
  if (value.is_boolean()) return value.get<bool>() ? 1 : 0;
  double truth = 1;
  number(field, 0, 1, expected, truth);
  return truth;
}

void record_fields::fail(std::string_view field, std::string_view message) const {
  throw error_at(file_, line_, field, message);
}

void record_fields::fail(std::string_view field, json const& got, std::string_view expected) const {
  fail(field, sentence(kind_of(got), expected));
}

void record_fields::fail_at(std::string_view field, std::size_t index, std::string_view got,
                            std::string_view expected) const {
  fail(field, sentence(std::string{got} + " in place " + std::to_string(index + 1), expected));
}

void record_fields::refuse(std::initializer_list<std::string_view> fields, std::string_view message) const {
  for (std::string_view const field : fields) {
    if (has(field)) fail(field, message);
  }
}
