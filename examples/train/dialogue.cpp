#include "dialogue.hpp"

#include <algorithm>
#include <iterator>
#include <span>
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

namespace {

constexpr std::string_view assistant_turn = "\n\nAssistant:";

/// Where the completions begin in texts that share a prompt.
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

void set_plain_texts(preference& record, std::optional<std::string> prompt, std::vector<std::string> responses) {
  record.responses = std::move(responses);
  if (prompt) {
    record.prompt = std::move(*prompt);
  } else if (!record.is_completion) {
    std::size_t const length = prompt_length(record.responses);
    record.prompt = record.responses.front().substr(0, length);
    for (auto& response : record.responses) response.erase(0, length);
  }
}

using messages = std::vector<message>;

/// How many messages all begin with, of which none is the last of a response.
std::size_t shared_messages(std::vector<messages> const& responses) {
  std::size_t shared = responses.front().size();
  for (auto const& other : responses) {
    shared = std::min({shared, other.empty() ? 0 : other.size() - 1});
    auto const& first = responses.front();
    auto const end =
        std::mismatch(first.begin(), first.begin() + static_cast<std::ptrdiff_t>(shared), other.begin()).first;
    shared = static_cast<std::size_t>(end - first.begin());
  }
  return shared;
}

bool begins_with(messages const& all, messages const& begin) {
  return all.size() > begin.size() && std::equal(begin.begin(), begin.end(), all.begin());
}

void set_messages(preference& record, messages const& prompt, std::vector<messages> const& responses,
                  chat_template format) {
  // The prompt ends with the header of the response, if that is the same for all. No response is empty.
  std::string_view const role = responses.front().front().role;
  bool const is_shared =
      std::ranges::all_of(responses, [&](messages const& response) { return response.front().role == role; });
  record.prompt = beginning(format);
  record.prompt += body(format, prompt);
  if (is_shared) record.prompt += header(format, role);
  for (auto const& response : responses) record.responses.push_back(body(format, response, !is_shared));
}

}  // namespace

void set_texts(preference& record, std::optional<dialogue> prompt, std::vector<dialogue> responses,
               chat_template format, left_out& out) {
  auto const is_text = [](dialogue const& said) { return std::holds_alternative<std::string>(said); };
  if (std::ranges::all_of(responses, is_text) && (!prompt || is_text(*prompt))) {
    std::vector<std::string> texts;
    for (auto& response : responses) texts.push_back(std::get<std::string>(std::move(response)));
    set_plain_texts(record, prompt ? std::optional{std::get<std::string>(std::move(*prompt))} : std::nullopt,
                    std::move(texts));
    return;
  }
  std::vector<messages> said;
  for (auto& response : responses) said.push_back(as_messages(std::move(response), "assistant"));
  bool const is_prompt_text = prompt && is_text(*prompt);
  messages first = prompt ? as_messages(std::move(*prompt), "user") : messages{};
  std::size_t begin = 0;
  std::size_t const shared = shared_messages(said);
  if (!prompt || (is_prompt_text && shared > 0)) {
    // A text beside whole dialogues says again what they begin with.
    messages const repeated{said.front().begin(), said.front().begin() + static_cast<std::ptrdiff_t>(shared)};
    if (is_prompt_text && std::ranges::find(repeated, first.front()) == repeated.end()) {
      out.add("prompt that is none of the messages");
    }
    first = repeated;
    begin = shared;
  } else if (std::ranges::all_of(said, [&](messages const& response) { return begins_with(response, first); })) {
    begin = first.size();
  }
  for (auto& response : said) response.erase(response.begin(), response.begin() + static_cast<std::ptrdiff_t>(begin));
  set_messages(record, first, said, format);
}
