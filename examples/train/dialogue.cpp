#include "dialogue.hpp"

#include <utility>

#include "json_text.hpp"
#include "name_text.hpp"

using nlohmann::json;

namespace {

constexpr std::string_view expected_dialogue = "a string or messages";

json const* find(json const& object, std::string_view name) {
  auto const found = object.find(name);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

std::string role_name(std::string name) {
  static constexpr std::pair<std::string_view, std::string_view> same[] = {
      {"human", "user"}, {"gpt", "assistant"}, {"function_call", "assistant"}, {"observation", "tool"}};
  for (auto const& [other, role] : same) {
    if (name == other) return std::string{role};
  }
  return name;
}

std::string in_message(std::size_t index, std::string_view problem) {
  return "message " + std::to_string(index + 1) + ": " + std::string{problem};
}

}  // namespace

dialogue dialogue_reader::read(std::string_view field) const {
  return read(field, record_.required(field, expected_dialogue));
}

dialogue dialogue_reader::read(std::string_view field, json const& value) const {
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_object() && !value.is_array()) record_.fail(field, value, expected_dialogue);
  return messages(field, value);
}

std::vector<message> dialogue_reader::messages(std::string_view field, json const& value) const {
  if (value.is_object()) return {read_message(field, value, 0)};
  if (!value.is_array()) record_.fail(field, value, "an array of messages");
  std::vector<message> all;
  for (json const& one : value) all.push_back(read_message(field, one, all.size()));
  if (all.empty()) record_.fail(field, "has no messages, expected one or more");
  return all;
}

message dialogue_reader::read_message(std::string_view field, json const& value, std::size_t index) const {
  if (!value.is_object()) record_.fail_at(field, index, kind_of(value), "a message, an object with role and content");
  bool const is_sharegpt = !value.contains("role") && value.contains("from");
  std::string_view const role_field = is_sharegpt ? "from" : "role", text_field = is_sharegpt ? "value" : "content";
  json const* const role = find(value, role_field);
  if (role == nullptr || !role->is_string() || role->get_ref<std::string const&>().empty()) {
    record_.fail(field, in_message(index, std::string{"has no "}.append(role_field).append(", expected who says it")));
  }
  json const* const text = find(value, text_field);
  json const* const calls = find(value, "tool_calls");
  bool const has_calls = calls != nullptr && !calls->empty();
  if (text == nullptr && !has_calls) {
    record_.fail(field, in_message(index, std::string{"has no "}.append(text_field).append(", expected what is said")));
  }
  message said{role_name(role->get<std::string>()), text == nullptr ? "" : content(field, *text, index)};
  if (has_calls) said.text += calls->dump();
  for (auto const& [name, other] : value.items()) {
    bool const is_read = name == role_field || name == text_field || name == "tool_calls";
    if (!is_read && !other.is_null()) left_out_.add(name_text(name) + " of messages");
  }
  return said;
}

std::string dialogue_reader::content(std::string_view field, json const& value, std::size_t index) const {
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_array()) {
    record_.fail(field,
                 in_message(index, std::string{"got "}.append(kind_of(value)).append(", expected a string or parts")));
  }
  std::string text;
  for (json const& part : value) {
    if (part.is_string()) {
      text += part.get_ref<std::string const&>();
      continue;
    }
    json const* const type = part.is_object() ? find(part, "type") : nullptr;
    if (type == nullptr || !type->is_string()) {
      record_.fail(field, in_message(index, "has a part without a type, expected {\"type\": \"text\", \"text\": ...}"));
    }
    auto const& name = type->get_ref<std::string const&>();
    json const* const part_text = find(part, "text");
    if (name == "text" && (part_text == nullptr || !part_text->is_string())) {
      record_.fail(field, in_message(index, "has a part of the type text without one"));
    }
    if (name == "text")
      text += part_text->get_ref<std::string const&>();
    else
      left_out_.add(name_text(name) + " in messages");
  }
  return text;
}

std::vector<message> as_messages(dialogue said, std::string_view role) {
  if (auto* const messages = std::get_if<std::vector<message>>(&said)) return std::move(*messages);
  return {{std::string{role}, std::get<std::string>(std::move(said))}};
}
