#pragma once

#include <span>
#include <string>
#include <string_view>

/// What somebody says in a dialogue.
struct message {
  std::string role, text;
  bool operator==(message const&) const = default;
};

/// How a dialogue becomes text:
///     plain    "\n\nHuman: ...\n\nAssistant: ...", as in HH-RLHF; other roles by their own names, with a capital
///     chatml   "<|im_start|>user\n...<|im_end|>\n<|im_start|>assistant\n...<|im_end|>\n"
///     llama3   "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n...<|eot_id|>" and so on, the texts
///              without the blanks around them
enum class chat_template { plain, chatml, llama3 };

/// What stands before the first message.
std::string_view beginning(chat_template format);
/// What stands before a text of that role.
std::string header(chat_template format, std::string_view role);
/// The texts of the messages one after the other, each with its header but, if asked, the first.
std::string body(chat_template format, std::span<message const> messages, bool with_first_header = true);
