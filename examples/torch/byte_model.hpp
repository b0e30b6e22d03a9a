#pragma once

#include <torch/torch.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "candidate_list.hpp"

/// Texts as a language model reads them: row t of a sequence has seen bytes[0..t] and predicts labels[t].
struct byte_batch {
  at::Tensor bytes, labels;  ///< [sequences, longest], of labels -100 where there is nothing to predict
};

/// Prompt and completion, with a mark in front and one behind; the prompt's bytes are not predicted.
byte_batch read_texts(std::span<candidate const> texts);

/// A small language model over bytes: embeddings, one layer of gated recurrent units, logits.
struct byte_model : torch::nn::Module {
  static constexpr std::int64_t alphabet = 256, width = 32, state = 64;

  torch::nn::Embedding embedding{alphabet, width};
  torch::nn::GRU units{torch::nn::GRUOptions(width, state).batch_first(true)};
  torch::nn::Linear output{state, alphabet};

  byte_model();

  /// [sequences, longest, alphabet]
  at::Tensor logits(at::Tensor const& bytes) { return output(std::get<0>(units(embedding(bytes)))); }
};
