#include "preference_file.hpp"

#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "input_error.hpp"
#include "text_file.hpp"

namespace {

using nlohmann::json;

constexpr std::string_view assistant_turn = "\n\nAssistant:";

/// Where the completions begin in two dialogues that share a prompt.
std::size_t prompt_length(std::string_view chosen, std::string_view rejected) {
  auto const common = static_cast<std::size_t>(
      std::mismatch(chosen.begin(), chosen.end(), rejected.begin(), rejected.end()).first - chosen.begin());
  std::string_view const shared = chosen.substr(0, common);
  if (auto const turn = shared.rfind(assistant_turn); turn != shared.npos) return turn + assistant_turn.size();
  auto const space = shared.find_last_of(" \t\n");
  return space == shared.npos ? 0 : space + 1;
}

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

/// One line of the file: its fields by name, and where to point when one of them cannot be used.
class record {
 public:
  record(std::string const& path, std::size_t line, std::string_view text) : path_{path}, line_{line} {
    try {
      fields_ = json::parse(text);
    } catch (json::parse_error const& error) {
      std::string_view const what = error.what();
      if (what.find("UTF-8") != what.npos) fail("", "byte " + std::to_string(error.byte) + " is not UTF-8");
      if (error.byte > text.size()) fail("", "the JSON breaks off at the end of the line");
      fail("", "byte " + std::to_string(error.byte) + " is not what JSON expects there");
    } catch (json::exception const&) {
      fail("", "a number is too large");
    }
    if (!fields_.is_object()) fail("", std::string{"got "}.append(kind_of(fields_)).append(", expected a JSON object"));
  }

  json const* find(char const* field) const {
    auto const found = fields_.find(field);
    return found == fields_.end() ? nullptr : &*found;
  }

  std::string const& text(char const* field) const {
    json const* const value = find(field);
    if (value == nullptr) fail(field, "is missing, expected a string");
    if (!value->is_string()) fail(field, *value, "a string");
    return value->get_ref<std::string const&>();
  }

  /// Reads the number if the field is there; true if it is.
  bool number(char const* field, double low, double high, char const* expected, double& result) const {
    json const* const value = find(field);
    if (value == nullptr) return false;
    if (!value->is_number()) fail(field, *value, expected);
    result = value->get<double>();
    if (!(result >= low && result <= high)) fail(field, "got " + value->dump() + ", expected " + expected);
    return true;
  }

  json const& fields() const { return fields_; }

  [[noreturn]] void fail(std::string_view field, std::string_view message) const {
    throw at(path_, line_, field, message);
  }
  [[noreturn]] void fail(std::string_view field, json const& got, std::string_view expected) const {
    fail(field, std::string{"got "}.append(kind_of(got)).append(", expected ").append(expected));
  }

 private:
  std::string const& path_;
  std::size_t line_;
  json fields_;
};

/// Gives each annotator a number in the order of appearance.
class annotator_index {
 public:
  std::size_t of(std::string const& name, std::vector<std::string>& names) {
    auto const [place, is_new] = numbers_.try_emplace(name, names.size());
    if (is_new) names.push_back(name);
    return place->second;
  }

 private:
  std::map<std::string, std::size_t> numbers_;
};

std::string annotator_name(record const& fields) {
  json const* const value = fields.find("annotator");
  if (value == nullptr) return "(no name)";
  if (value->is_string()) return value->get<std::string>();
  if (value->is_number_integer()) return value->dump();
  fields.fail("annotator", *value, "a string or a whole number");
}

bool is_known(std::string const& field) {
  static constexpr std::string_view known[] = {"prompt", "chosen", "rejected", "weight",
                                               "margin", "label",  "annotator"};
  return std::ranges::find(known, field) != std::end(known);
}

}  // namespace

preference_set read_preferences(std::string const& path) {
  std::string const text = read_text_file(path);
  constexpr double largest = std::numeric_limits<double>::max();

  preference_set set;
  annotator_index annotators;
  std::size_t line = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    std::size_t const end = std::min(text.find('\n', begin), text.size());
    std::string_view const content = std::string_view{text}.substr(begin, end - begin);
    begin = end + 1;
    ++line;
    if (content.find_first_not_of(" \t\r") == content.npos) continue;

    record const fields{path, line, content};
    preference pair;
    pair.chosen = fields.text("chosen");
    pair.rejected = fields.text("rejected");
    if (fields.find("prompt") != nullptr) {
      pair.prompt = fields.text("prompt");
    } else {
      std::size_t const length = prompt_length(pair.chosen, pair.rejected);
      pair.prompt = pair.chosen.substr(0, length);
      pair.chosen.erase(0, length);
      pair.rejected.erase(0, length);
    }
    set.has_weight |= fields.number("weight", 0, largest, "a number >= 0", pair.weight);
    set.has_margin |= fields.number("margin", -largest, largest, "a number", pair.margin);
    set.has_label |= fields.number("label", 0, 1, "a number from 0 to 1", pair.label);
    set.has_annotator |= fields.find("annotator") != nullptr;
    pair.annotator = annotators.of(annotator_name(fields), set.annotators);
    for (auto const& [field, value] : fields.fields().items()) {
      if (!is_known(field) && std::ranges::find(set.unknown_fields, field) == set.unknown_fields.end()) {
        set.unknown_fields.push_back(field);
      }
    }
    set.pairs.push_back(std::move(pair));
  }
  if (set.pairs.empty()) throw at(path, 0, "", "has only blank lines, expected one JSON object a line");
  set.checksum = static_cast<std::uint32_t>(crc32_z(0, reinterpret_cast<Bytef const*>(text.data()), text.size()));
  return set;
}
