#include "json_table.hpp"

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <utility>

using nlohmann::json;

/// Takes an object apart without making numbers of its numbers.
class json_table::reader {
 public:
  reader(json_table& table, std::size_t length) : table_{table}, length_{length} { table_.size_ = 0; }

  bool null() { return value("", true); }
  bool boolean(bool truth) { return value(truth ? "1" : "0"); }
  bool number_integer(std::int64_t number) { return value(std::to_string(number)); }
  bool number_unsigned(std::uint64_t number) { return value(std::to_string(number)); }
  bool number_float(double, std::string const& text) { return value(text); }
  bool string(std::string const& text) { return value(text); }
  bool binary(json::binary_t const&) { return value(""); }
  bool start_object(std::size_t) { return begin("{...}"); }
  bool start_array(std::size_t) { return begin("[...]"); }
  bool end_object() { return end(); }
  bool end_array() { return end(); }
  bool key(std::string const& name) {
    if (depth_ != 1) return true;
    for (std::size_t i = 0; i < table_.size_; ++i) {
      if (table_.object_[i].name == name) fail(name, "given twice in the object");
    }
    if (table_.size_ == table_.object_.size()) table_.object_.emplace_back();
    table_.object_[table_.size_++].name = name;
    return true;
  }
  bool parse_error(std::size_t byte, std::string const& token, json::exception const& error) {
    std::string_view const what = error.what();
    if (what.find("UTF-8") != what.npos) fail("", "byte " + std::to_string(byte) + " is not UTF-8");
    if (byte > length_) fail("", "the JSON breaks off at the end of the line");
    if (error.id == 406) fail("", "a number is beyond what the number type can hold");
    fail("", "byte " + std::to_string(byte) + " is not what JSON expects there, at " + in_quotes(token) +
                 " (what is not a number is null in JSON)");
  }

  [[noreturn]] void fail(std::string_view name, std::string_view message) const {
    throw error_at(table_.file(), table_.lines_.number(), name, message);
  }

 private:
  bool value(std::string_view text, bool is_null = false) {
    if (depth_ == 0) fail("", "got " + in_quotes(text) + ", expected a JSON object");
    if (depth_ != 1) return true;
    auto& field = table_.object_[table_.size_ - 1];
    field.text = text;
    field.is_null = is_null;
    return true;
  }
  bool begin(char const* shown) {
    if (depth_ == 0 && *shown != '{') fail("", "got an array, expected a JSON object");
    if (depth_ == 1) value(shown);
    ++depth_;
    return true;
  }
  bool end() {
    --depth_;
    return true;
  }

  json_table& table_;
  std::size_t length_, depth_ = 0;
};

json_table::json_table(input_lines lines) : column_table{std::move(lines)} {
  if (!read_object()) throw error_at(file(), 0, {}, "empty, expected one JSON object a line");
  for (std::size_t i = 0; i < size_; ++i) names_.push_back(object_[i].name);
  header_ = names_;
  if (std::ranges::find(header_, "") != header_.end()) throw error_at(file(), line_, {}, "a column has no name");
}

bool json_table::next_row() {
  if (!std::exchange(is_first_, false) && !read_object()) return false;
  take_object();
  return true;
}

bool json_table::read_object() {
  for (;;) {
    std::string_view const line = lines_.next();
    if (line.empty()) return false;
    if (line.starts_with('#') || line.find_first_not_of(" \t\r\n") == line.npos) continue;
    line_ = lines_.number();
    std::string_view const object = line.substr(0, line.find_last_not_of(" \t\r\n") + 1);
    reader into{*this, object.size()};
    json::sax_parse(object, &into);
    return true;
  }
}

void json_table::take_object() {
  clear_row();
  std::span<field const> const object{object_.data(), size_};
  for (std::size_t i = 0; i < names_.size(); ++i) {
    // Most files have them in the same order in each line.
    auto const found = i < object.size() && object[i].name == names_[i]
                           ? object.begin() + static_cast<std::ptrdiff_t>(i)
                           : std::ranges::find(object, names_[i], &field::name);
    if (found != object.end()) {
      add_field(found->text, found->is_null);
    } else if (header_[i].empty()) {
      add_field("", true);
    } else {
      throw error_at(file(), line_, names_[i], "is missing, expected the same names as in the first line");
    }
  }
  for (field const& one : object) {
    if (std::ranges::find(names_, one.name) != names_.end()) continue;
    if (std::ranges::find(ignored_, one.name) != ignored_.end()) continue;
    throw error_at(file(), line_, one.name, "is not in the first line, expected the same names as there");
  }
}
