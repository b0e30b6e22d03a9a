#pragma once

#include <optional>
#include <vector>

#include "chat_template.hpp"
#include "dialogue.hpp"
#include "left_out.hpp"
#include "preference.hpp"

/// Gives the record its prompt and responses. Texts stay as they are; where some of it is messages, all is, and becomes
/// text by the template. Without a prompt, it is what all responses begin with; a prompt that they repeat is not there
/// twice. A response by itself is taken after its prompt, or is what follows the last mark of the assistant's turn, or the
/// last message.
void set_texts(preference& record, std::optional<dialogue> prompt, std::vector<dialogue> responses,
               chat_template format, left_out& out);
