#pragma once

#include <vector>

#include "completion_rows.hpp"
#include "preference.hpp"
#include "tokenizer.hpp"

/// Prompt and answers of a record as tokens, one sequence a response; an answer ends with the token that ends a turn. A
/// model that has no token for the beginning of a text reads the first one of an answer without a prompt as its prompt.
/// As chat: the dialogue (see plain_dialogue) by the model's own template. Otherwise the texts as they are.
std::vector<token_sequence> record_tokens(preference const& record, tokenizer const& by, bool as_chat);

/// Cuts sequences of one prompt to `most` tokens: the prompt loses its beginning, down to a quarter of them, and then the
/// answers their end. False if there is nothing to cut.
bool cut_to(std::vector<token_sequence>& sequences, std::size_t most);
