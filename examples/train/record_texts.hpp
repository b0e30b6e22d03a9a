#pragma once

#include <optional>
#include <vector>

#include "dialogue.hpp"
#include "left_out.hpp"
#include "preference.hpp"
#include "reading_options.hpp"

/// Gives the record its prompt and responses. Texts stay as they are; where some of it is messages, all is, and becomes
/// text by the template of the options, which also say whether the messages are kept. Without a prompt, it is what all
/// responses begin with; a prompt that they repeat is not there twice. A response by itself is taken after its prompt, or
/// is what follows the last mark of the assistant's turn, or the last message.
void set_texts(preference& record, std::optional<dialogue> prompt, std::vector<dialogue> responses,
               reading_options const& options, left_out& out);
