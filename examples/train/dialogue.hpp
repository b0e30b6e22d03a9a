#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "chat_template.hpp"
#include "left_out.hpp"
#include "preference.hpp"
#include "record_fields.hpp"

/// What stands in a field: a text, or what people say to each other in turn.
using dialogue = std::variant<std::string, std::vector<message>>;

/// Reads what people have said out of a record: {"role": ..., "content": ...}, or {"from": ..., "value": ...} as in
/// ShareGPT, whose human and gpt are user and assistant. A content is a text, or parts of which those that are none are
/// left out; calls of tools are appended as JSON.
class dialogue_reader {
 public:
  dialogue_reader(record_fields const& record, left_out& out) : record_{record}, left_out_{out} {}

  /// A text, messages or one message; required.
  dialogue read(std::string_view field) const;
  /// The same out of a value that is part of the field.
  dialogue read(std::string_view field, nlohmann::json const& value) const;
  std::vector<message> messages(std::string_view field, nlohmann::json const& value) const;

 private:
  message read_message(std::string_view field, nlohmann::json const& value, std::size_t index) const;
  std::string content(std::string_view field, nlohmann::json const& value, std::size_t index) const;

  record_fields const& record_;
  left_out& left_out_;
};

/// Takes a dialogue as messages: a text is one, from that role.
std::vector<message> as_messages(dialogue said, std::string_view role);

/// Gives the record its prompt and responses. Texts stay as they are; where some of it is messages, all is, and becomes
/// text by the template. Without a prompt, it is what all responses begin with; a prompt that they repeat is not there
/// twice. A response by itself is taken after its prompt, or is the last message.
void set_texts(preference& record, std::optional<dialogue> prompt, std::vector<dialogue> responses,
               chat_template format, left_out& out);
