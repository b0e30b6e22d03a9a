#pragma once

#include <vector>

#include "tokenizer.hpp"
#include "trainable_llama.hpp"

/// The hidden states of a sequence that predict the tokens of its answer, [tokens of the answer, width].
void answer_hidden_states(trainable_llama& model, tokenized_pair const& sequence, with_adapter use,
                          std::vector<float>& rows);
