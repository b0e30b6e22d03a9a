#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "chat_template.hpp"
#include "left_out.hpp"
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
