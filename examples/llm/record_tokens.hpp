#pragma once

#include <cstddef>
#include <vector>

#include "preference.hpp"
#include "tokenizer.hpp"

/// What keeps a response from being the assistant's answer: nothing, a turn of the user's behind it, another message behind
/// it, such as what a called tool gives, or that somebody else says it.
enum class response_fault { none, further_turn, further_message, other_role };

/// Of the first response that has one.
response_fault fault_of_responses(preference const& record);

/// Prompt and answer of each response of a record as tokens. As chat, of a record whose responses have no fault: the
/// messages as they are kept, or of a text its turns (see plain_dialogue), by the model's own template; otherwise the texts
/// as they are. The first token of a text has nothing that predicts it: of an answer without a prompt, under a model
/// without a token for the beginning, it counts as the prompt.
std::vector<tokenized_pair> record_tokens(preference const& record, tokenizer const& by, bool as_chat);

/// Cuts the sequences of one prompt to `most` tokens: the prompt loses its beginning, down to a quarter of them, and then
/// the answers lose their end. False if there is nothing to cut.
bool cut_to(std::vector<tokenized_pair>& sequences, std::size_t most);
