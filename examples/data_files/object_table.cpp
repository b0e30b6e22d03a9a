#include "object_table.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "json_array.hpp"
#include "json_lines.hpp"

object_table::object_table(std::unique_ptr<text_stream> text, object_names names)
    : column_table{std::move(text)}, names_{names} {
  if (text_->ahead().starts_with('[')) {
    reader_ = std::make_unique<json_array>(*text_, halves_, number_form::text);
  } else {
    reader_ = std::make_unique<json_lines>(*text_, halves_, number_form::text, '#');
  }
  if (!read_object()) throw error_at(file(), 0, {}, "no records, expected JSON objects");
  if (find("")) throw error_at(file(), line(), {}, "a column has no name");
}

bool object_table::next_row() { return std::exchange(is_first_, false) || read_object(); }

bool object_table::read_object() {
  try {
    if (!reader_->next(row_)) return false;
  } catch (input_error const&) {
    text_->check_for_damage();
    throw;
  }
  if (names_ == object_names::same && !header_.empty()) {
    check_names();
    return true;
  }
  for (auto const& name : row_.names) {
    auto const [place, is_new] = columns_.try_emplace(name, header_.size());
    if (!is_new) continue;
    header_.push_back(name);
    keys_.push_back(place->first);
  }
  return true;
}

void object_table::check_names() const {
  for (std::size_t column = 0; column < keys_.size(); ++column) {
    if (header_[column].empty() || row_.fields.contains(keys_[column])) continue;
    throw error_at(file(), line(), keys_[column], "is missing, expected the same names as in the first line");
  }
  for (auto const& [name, value] : row_.fields.items()) {
    if (columns_.contains(name) || std::ranges::find(ignored_, name) != ignored_.end()) continue;
    throw error_at(file(), line(), name, "is not in the first line, expected the same names as there");
  }
}

nlohmann::json const* object_table::value(std::size_t column) const {
  auto const found = row_.fields.find(keys_[column]);
  return found == row_.fields.end() || found->is_null() ? nullptr : &*found;
}

bool object_table::is_absent(std::size_t column) const { return value(column) == nullptr; }

std::string_view object_table::text(std::size_t column) const {
  auto const* const found = value(column);
  if (found == nullptr) return {};
  if (found->is_boolean()) return found->get<bool>() ? "true" : "false";
  if (found->is_string()) return found->get_ref<std::string const&>();
  bool const is_word = found->is_number();
  throw error(column,
              "got " + std::string{is_word ? text_of_number(column) : kind_of(*found)} +
                  (is_word ? ", expected text or a finite number, or null for none" : ", expected text or a number"));
}

std::string_view object_table::text_of_number(std::size_t column) const {
  auto const* const found = value(column);
  if (found != nullptr && found->is_boolean()) return found->get<bool>() ? "1" : "0";
  if (found == nullptr || !found->is_number()) return text(column);
  auto const number = found->get<double>();  // no text, as it is not finite
  return std::isnan(number) ? "NaN" : number > 0 ? "Infinity" : "-Infinity";
}

std::string object_table::note() const { return note_on_halves(halves_); }
