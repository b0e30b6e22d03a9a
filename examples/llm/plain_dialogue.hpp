#pragma once

#include <string_view>
#include <vector>

#include "chat_template.hpp"

/// The turns of a dialogue that is one text, "\n\nHuman: ...\n\nAssistant: ...": what chat_template::plain makes, and the
/// form of HH-RLHF. Without the blanks around each; an empty turn at the end, which waits for an answer, is none. A text
/// without such marks is what the user says, and what stands before the first mark is the system's.
std::vector<message> plain_dialogue(std::string_view text);
