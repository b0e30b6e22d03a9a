#include "object_table.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace {

constexpr std::string_view blanks = " \t\r\n";

std::size_t begin_of(std::string_view content) {
  std::size_t const begin = content.starts_with("\xEF\xBB\xBF") ? 3 : 0;
  return std::min(content.find_first_not_of(blanks, begin), content.size());
}

/// nlohmann's messages begin with "[json.exception.parse_error.101] ".
std::string problem_of(nlohmann::json::exception const& error) {
  std::string const what = error.what();
  std::size_t const end = what.find("] ");
  return "not JSON: " + (end == std::string::npos ? what : what.substr(end + 2));
}

}  // namespace

bool holds_json(std::string_view content) {
  std::size_t const begin = begin_of(content);
  if (begin >= content.size()) return false;
  char const first = content[begin];
  std::size_t const second = content.find_first_not_of(blanks, begin + 1);
  char const next = second == std::string_view::npos ? '\0' : content[second];
  // Not every text that begins with a bracket: "[a] > b" is a ranking.
  return (first == '{' && (next == '"' || next == '}')) || (first == '[' && (next == '{' || next == ']'));
}

object_table::object_table(input_text input) : file_{std::move(input.file)}, content_{std::move(input.content)} {
  position_ = begin_of(content_);
  for (char const c : std::string_view{content_}.substr(0, position_)) line_ += c == '\n' ? 1 : 0;
  if (position_ < content_.size() && content_[position_] == '[') {
    line_ = 0;
    array_ = parse(std::string_view{content_}.substr(position_), 2);
  }
  if (!read_row()) throw error_at(file_, 0, {}, "no records, expected JSON objects");
  first_is_read_ = true;
}

std::optional<std::size_t> object_table::find(std::string_view name) const {
  auto const found = columns_.find(name);
  if (found == columns_.end()) return {};
  return found->second;
}

bool object_table::next_row() {
  if (std::exchange(first_is_read_, false)) return true;
  return read_row();
}

bool object_table::read_row() {
  if (array_.is_array()) {
    if (record_ == array_.size()) return false;
    auto& row = array_[record_++];
    take_row(std::move(row));
    return true;
  }
  while (position_ < content_.size()) {
    std::size_t const end = std::min(content_.find('\n', position_), content_.size());
    auto const text = std::string_view{content_}.substr(position_, end - position_);
    position_ = end + 1;
    ++line_;
    if (text.find_first_not_of(blanks) == std::string_view::npos) continue;
    take_row(parse(text, 1));
    return true;
  }
  return false;
}

nlohmann::json object_table::parse(std::string_view text, int depth_of_keys) const {
  std::set<std::string> keys;
  std::string repeated;
  auto const see = [&](int depth, nlohmann::json::parse_event_t event, nlohmann::json& parsed) {
    using events = nlohmann::json::parse_event_t;
    if (event == events::object_start && depth == depth_of_keys - 1) keys.clear();
    if (event == events::key && depth == depth_of_keys && !keys.insert(parsed.get<std::string>()).second)
      repeated = parsed.get<std::string>();
    return true;
  };
  nlohmann::json parsed;
  try {
    parsed = nlohmann::json::parse(text, see);
  } catch (nlohmann::json::exception const& error) {
    throw error_in_row({}, problem_of(error));
  }
  if (!repeated.empty()) throw error_in_row(in_quotes(repeated), "given twice");
  return parsed;
}

void object_table::take_row(nlohmann::json row) {
  if (!row.is_object()) throw error_in_row({}, std::string{"got "} + row.type_name() + ", expected an object");
  row_ = std::move(row);
  for (auto const& [key, value] : row_.items()) {
    if (columns_.try_emplace(key, header_.size()).second) {
      header_.push_back(key);
      shown_.emplace_back();
    }
  }
}

std::string_view object_table::text(std::size_t column) {
  auto const found = row_.find(header_[column]);
  if (found == row_.end() || found->is_null()) return {};
  if (found->is_string()) return found->get_ref<std::string const&>();
  if (found->is_structured())
    throw error(column, std::string{"got "} + found->type_name() + ", expected text or a number");
  return shown_[column] = found->dump();
}

bool object_table::is_absent(std::size_t column) const {
  auto const found = row_.find(header_[column]);
  return found == row_.end() || found->is_null();
}

input_error object_table::error_in_row(std::string_view where, std::string_view message) const {
  if (!array_.is_array()) return error_at(file_, line_, where, message);
  std::string const record = record_ == 0 ? std::string{} : "record " + std::to_string(record_);
  return error_at(file_, 0,
                  record.empty() || where.empty() ? record + std::string{where} : record + ": " + std::string{where},
                  message);
}
