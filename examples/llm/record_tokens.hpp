#pragma once

#include <cstddef>
#include <vector>

#include "preference.hpp"
#include "tokenizer.hpp"

/// Whether some response goes on after its first turn, with what the user says next.
bool has_further_turns(preference const& record);

/// Prompt and answer of each response of a record as tokens. As chat: the dialogue (see plain_dialogue) by the model's own
/// template; otherwise the texts as they are. The first token of a text has nothing that predicts it: of an answer without
/// a prompt, under a model without a token for the beginning, it counts as the prompt.
std::vector<tokenized_pair> record_tokens(preference const& record, tokenizer const& by, bool as_chat);

/// Cuts the sequences of one prompt to `most` tokens: the prompt loses its beginning, down to a quarter of them, and then
/// the answers lose their end. False if there is nothing to cut.
bool cut_to(std::vector<tokenized_pair>& sequences, std::size_t most);
