#include "chat_template.hpp"

#include "blanks.hpp"

namespace {

/// Human and assistant are what HH-RLHF calls them.
std::string plain_name(std::string_view role) {
  std::string name{role == "user" ? "human" : role};
  if (!name.empty() && name[0] >= 'a' && name[0] <= 'z') name[0] = static_cast<char>(name[0] - 'a' + 'A');
  return name;
}

}  // namespace

std::string_view beginning(chat_template format) { return format == chat_template::llama3 ? "<|begin_of_text|>" : ""; }

std::string header(chat_template format, std::string_view role) {
  switch (format) {
    case chat_template::plain:
      return "\n\n" + plain_name(role) + ":";
    case chat_template::chatml:
      return std::string{"<|im_start|>"}.append(role).append("\n");
    case chat_template::llama3:
      break;
  }
  return std::string{"<|start_header_id|>"}.append(role).append("<|end_header_id|>\n\n");
}

std::string body(chat_template format, std::span<message const> messages, bool with_first_header) {
  std::string text;
  for (auto const& [role, said] : messages) {
    if (with_first_header) text += header(format, role);
    with_first_header = true;
    switch (format) {
      case chat_template::plain:
        text.append(" ").append(said);
        break;
      case chat_template::chatml:
        text.append(said).append("<|im_end|>\n");
        break;
      case chat_template::llama3:
        text.append(without_blanks_around(said)).append("<|eot_id|>");
        break;
    }
  }
  return text;
}
