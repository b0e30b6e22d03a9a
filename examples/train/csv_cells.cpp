#include "csv_cells.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <string_view>
#include <system_error>

#include "blanks.hpp"
#include "input_error.hpp"
#include "json_text.hpp"
#include "name_text.hpp"
#include "written_words.hpp"

namespace {

using nlohmann::json;

constexpr std::string_view response_columns[] = {"chosen", "rejected", "completion", "output"};
constexpr std::string_view text_columns[] = {"prompt", "instruction", "input", "system", "annotator"};

template <class T>
bool reads_as(std::string_view text, T& value) {
  auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size();
}

bool is_python_list(std::string_view text) {
  if (text.starts_with('[')) text.remove_prefix(1);
  if (!text.starts_with('{')) return false;
  text.remove_prefix(1);
  return std::ranges::any_of(std::initializer_list<std::string_view>{"'role'", "'content'", "'from'", "'value'"},
                             [&](std::string_view name) { return text.starts_with(name); });
}

bool is_of_messages(json const& value) {
  json const& first = value.is_array() && !value.empty() ? value.front() : value;
  return first.is_object() && (first.contains("role") || first.contains("from") || first.contains("messages"));
}

/// Null where it is none.
json json_of(std::string_view text) {
  if (!text.starts_with('[') && !text.starts_with('{')) return nullptr;
  static std::string const nowhere;
  std::size_t halves = 0;
  std::vector<std::string> names;
  std::string wrapped = "{\"\":" + std::string{text} + "}";
  try {
    return json_object({nowhere, 0}, wrapped, halves, names).at("");
  } catch (input_error const&) {
    return nullptr;
  }
}

json value_of(std::string_view text) {
  std::string_view const word = without_blanks_around(text);
  if (word.empty()) return nullptr;
  for (auto const yes : {"true", "True", "TRUE"}) {
    if (word == yes) return true;
  }
  for (auto const no : {"false", "False", "FALSE"}) {
    if (word == no) return false;
  }
  std::int64_t whole = 0;
  double number = 0;
  if (reads_as(word, whole)) return whole;
  if (reads_as(word, number) && std::isfinite(number)) return number;
  json value = json_of(word);
  return value.is_null() ? json(text) : value;
}

}  // namespace

void read_cells(data_record& row, std::string const& file) {
  for (auto const& [name, cell] : row.fields.items()) {
    auto const& text = cell.get_ref<std::string const&>();
    if (is_python_list(text)) {
      throw error_at(file, row.line, name_text(name),
                     "has messages as Python prints them, expected JSON; pandas writes it with "
                     ".to_json(FILE, orient='records', lines=True)");
    }
    bool const is_response = std::ranges::find(response_columns, name) != std::end(response_columns);
    if (!is_response && std::ranges::find(text_columns, name) == std::end(text_columns)) {
      cell = value_of(text);
    } else if (text.empty() && !is_response) {
      cell = nullptr;
    } else if (name == "annotator") {
      cell = std::string{without_zero_fraction(text)};
    } else if (json value = json_of(without_blanks_around(text)); is_of_messages(value)) {
      cell = std::move(value);
    }
  }
}
