#include "preference_file.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <string_view>
#include <utility>
#include <vector>

#include "checksum.hpp"
#include "input_error.hpp"
#include "number_text.hpp"
#include "text_file.hpp"

namespace {

using nlohmann::json;

constexpr std::string_view assistant_turn = "\n\nAssistant:";

/// Where the completions begin in dialogues that share a prompt.
std::size_t prompt_length(std::vector<std::string> const& dialogues) {
  std::string_view shared = dialogues.front();
  for (auto const& other : dialogues) {
    auto const end = std::mismatch(shared.begin(), shared.end(), other.begin(), other.end()).first;
    shared = shared.substr(0, static_cast<std::size_t>(end - shared.begin()));
  }
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
      refuse_not_a_number(text, error.byte);
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

  std::vector<std::string> texts(char const* field) const {
    std::vector<std::string> texts;
    for (json const& value : array(field, "an array of strings")) {
      if (!value.is_string()) fail_at(field, texts.size(), std::string{kind_of(value)}, "a string");
      texts.push_back(value.get<std::string>());
    }
    return texts;
  }

  /// One for each response.
  std::vector<double> numbers(char const* field, double low, double high, char const* expected,
                              std::size_t responses) const {
    std::vector<double> numbers;
    for (json const& value : array(field, "an array of numbers")) {
      if (!value.is_number()) fail_at(field, numbers.size(), std::string{kind_of(value)}, expected);
      auto const number = value.get<double>();
      if (!(number >= low && number <= high)) fail_at(field, numbers.size(), value.dump(), expected);
      numbers.push_back(number);
    }
    if (numbers.size() != responses) {
      fail(field, "got " + std::to_string(numbers.size()) + (numbers.size() == 1 ? " number" : " numbers") +
                      ", expected " + std::to_string(responses) + ", one for each of the responses");
    }
    return numbers;
  }

  json const& fields() const { return fields_; }

  [[noreturn]] void fail(std::string_view field, std::string_view message) const {
    throw error_at(path_, line_, field, message);
  }
  [[noreturn]] void fail(std::string_view field, json const& got, std::string_view expected) const {
    fail(field, std::string{"got "}.append(kind_of(got)).append(", expected ").append(expected));
  }

 private:
  json const& array(char const* field, char const* expected) const {
    json const* const value = find(field);
    if (value == nullptr) fail(field, std::string{"is missing, expected "} + expected);
    if (!value->is_array()) fail(field, *value, expected);
    return *value;
  }

  [[noreturn]] void fail_at(char const* field, std::size_t index, std::string const& got, char const* expected) const {
    fail(field, "got " + got + " in place " + std::to_string(index + 1) + ", expected " + expected);
  }

  /// Other programs write NaN and Infinity, for which JSON has no word. `byte` counts from 1.
  void refuse_not_a_number(std::string_view text, std::size_t byte) const {
    for (std::string_view const word : {"NaN", "nan", "Infinity", "inf"}) {
      if (!text.substr(byte - 1).starts_with(word)) continue;
      // The name of the field is the last that stands before a colon.
      std::size_t const colon = text.substr(0, byte).rfind("\":");
      std::size_t const quote = colon == text.npos || colon == 0 ? text.npos : text.rfind('"', colon - 1);
      if (quote == text.npos) return;
      fail(text.substr(quote + 1, colon - quote - 1), "got " + std::string{word} + ", expected a finite number");
    }
  }

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

constexpr double largest = std::numeric_limits<double>::max();

void read_pair(record const& fields, preference_set& set, preference& pair) {
  pair.is_pair = true;
  pair.responses = {fields.text("chosen"), fields.text("rejected")};
  pair.rewards = {1, 0};
  set.has_pairs = true;
  set.has_margin |= fields.number("margin", -largest, largest, "a number", pair.margin);
  set.has_label |= fields.number("label", 0, 1, "a number from 0 to 1", pair.label);
  for (std::size_t c = 0; c < further_columns; ++c) {
    auto const& column = prefopt::pair_family::inputs<double>[first_further + c];
    bool const is_any = column.range == prefopt::value_range::any;
    set.has_further[c] |= fields.number(column.name, is_any ? -largest : 0, largest,
                                        is_any ? "a number" : "a number >= 0", pair.further[c]);
  }
}

void read_ranked(record const& fields, preference_set& set, preference& ranked) {
  for (char const* const other : {"chosen", "rejected"}) {
    if (fields.find(other) != nullptr) {
      fields.fail(other, "stands beside responses, expected one or the other: a pair or ranked responses");
    }
  }
  ranked.responses = fields.texts("responses");
  std::size_t const count = ranked.responses.size();
  if (count < 2) fields.fail("responses", "got " + std::to_string(count) + ", expected 2 or more");
  ranked.rewards = fields.numbers("rewards", -largest, largest, "a number", count);
  set.has_ranked = true;
  if (fields.find("target") == nullptr) return;
  ranked.target = fields.numbers("target", 0, 1, "a number from 0 to 1", count);
  set.has_target = true;
  double const sum = std::accumulate(ranked.target.begin(), ranked.target.end(), 0.0);
  double const rounding = 0.005 * static_cast<double>(count) + 1e-9;  // of probabilities with two decimals
  if (!(std::abs(sum - 1) <= rounding)) {
    fields.fail("target", "sums to " + number_text(sum) + ", expected probabilities, which sum to 1");
  }
}

void read_completion(record const& fields, preference_set& set, preference& alone) {
  for (char const* const other : {"chosen", "rejected", "responses", "rewards"}) {
    if (fields.find(other) != nullptr) {
      fields.fail(other,
                  "stands beside completion, expected one or the other: a completion alone, a pair or ranked "
                  "responses");
    }
  }
  alone.is_completion = true;
  alone.responses = {fields.text("completion")};
  double label = 1;
  json const* const given = fields.find("label");
  if (given == nullptr) fields.fail("label", "is missing, expected true or false, or a number from 0 to 1");
  if (given->is_boolean()) {
    label = given->get<bool>() ? 1 : 0;
  } else {
    fields.number("label", 0, 1, "true or false, or a number from 0 to 1", label);
  }
  alone.rewards = {label};
  set.has_completions = true;
}

enum class record_kind { pair, ranked, completion };

record_kind kind_of_record(record const& fields) {
  auto const has = [&](char const* field) { return fields.find(field) != nullptr; };
  bool const has_pair = has("chosen") || has("rejected");
  if (has("completion")) return record_kind::completion;
  if (has("responses") || (has("rewards") && !has_pair)) return record_kind::ranked;
  if (!has_pair) fields.fail("", "has neither chosen and rejected nor responses and rewards nor completion and label");
  return record_kind::pair;
}

/// Whether the field belongs to this kind of record.
bool is_known(std::string_view field, record_kind kind) {
  static constexpr std::string_view of_all[] = {"prompt", "weight", "annotator"};
  static constexpr std::string_view of_pairs[] = {"chosen", "rejected", "margin", "label"};
  static constexpr std::string_view of_ranked[] = {"responses", "rewards", "target"};
  static constexpr std::string_view of_completions[] = {"completion", "label"};
  auto const is_in = [field](auto const& names) { return std::ranges::find(names, field) != std::end(names); };
  if (kind == record_kind::completion) return is_in(of_all) || is_in(of_completions);
  if (kind == record_kind::ranked) return is_in(of_all) || is_in(of_ranked);
  for (std::size_t c = first_further; c < prefopt::pair_family::input_count; ++c) {
    if (field == prefopt::pair_family::inputs<double>[c].name) return true;
  }
  return is_in(of_all) || is_in(of_pairs);
}

/// Notes every field that nothing reads, once; says of which kind of record it is no field where it is one of another.
void note_unknown_fields(record const& fields, record_kind kind, std::vector<std::string>& unknown) {
  static constexpr record_kind kinds[] = {record_kind::pair, record_kind::ranked, record_kind::completion};
  for (auto const& [field, value] : fields.fields().items()) {
    if (is_known(field, kind)) continue;
    bool const is_of_another =
        std::ranges::any_of(kinds, [&, name = field](record_kind other) { return is_known(name, other); });
    std::string const note = !is_of_another                ? field
                             : kind == record_kind::pair   ? field + " of a pair"
                             : kind == record_kind::ranked ? field + " of ranked responses"
                                                           : field + " of a completion";
    if (std::ranges::find(unknown, note) == unknown.end()) unknown.push_back(note);
  }
}

}  // namespace

preference_set read_preferences(std::string const& path) {
  std::string const text = read_text_file(path);

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
    preference next;
    next.line = line;
    record_kind const kind = kind_of_record(fields);
    switch (kind) {
      case record_kind::ranked:
        read_ranked(fields, set, next);
        break;
      case record_kind::completion:
        read_completion(fields, set, next);
        break;
      case record_kind::pair:
        read_pair(fields, set, next);
        break;
    }
    if (fields.find("prompt") != nullptr) {
      next.prompt = fields.text("prompt");
      next.has_prompt = true;
    } else if (!next.is_completion) {
      std::size_t const length = prompt_length(next.responses);
      next.prompt = next.responses.front().substr(0, length);
      for (auto& response : next.responses) response.erase(0, length);
    }
    set.has_weight |= fields.number("weight", 0, largest, "a number >= 0", next.weight);
    set.has_annotator |= fields.find("annotator") != nullptr;
    next.annotator = annotators.of(annotator_name(fields), set.annotators);
    note_unknown_fields(fields, kind, set.unknown_fields);
    set.records.push_back(std::move(next));
  }
  if (set.records.empty()) throw error_at(path, 0, "", "has only blank lines, expected one JSON object a line");
  set.checksum = checksum_of(text);
  return set;
}
