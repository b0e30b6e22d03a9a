#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "completion_rows.hpp"
#include "packed_tokens.hpp"
#include "trainable_llama.hpp"
#include "tuned_sequences.hpp"

/// Sequences for one pass of the model, the answers to a prompt: what all of their prompts begin with is there once.
class packed_answers {
 public:
  /// Refers to the sequences. No more of them than that the pass has `most` tokens, but at least one.
  packed_answers(sequence_list sequences, std::size_t most);

  [[nodiscard]] packed_tokens tokens() const { return {ids_, offsets_}; }
  /// Those that are in it, the first so many.
  [[nodiscard]] sequence_list sequences() const { return sequences_; }

  /// Of numbers [tokens, width], those of the rows that predict the answer of a sequence, [tokens of the answer, width].
  template <class Number>
  [[nodiscard]] std::span<Number> answer(std::size_t sequence, std::span<Number> numbers) const {
    std::size_t const width = numbers.size() / ids_.size();
    auto const& [ids, boundary] = *sequences_[sequence];
    std::size_t const row = offsets_[sequence] + boundary - 1 - offsets_.front();
    return numbers.subspan(row * width, (ids.size() - boundary) * width);
  }

 private:
  sequence_list sequences_;
  std::vector<std::int32_t> ids_;
  std::vector<std::size_t> offsets_;
};

/// Adds to `rows` the hidden states that predict the answers, by passes of some two thousand tokens.
void add_answers(trainable_llama& model, sequence_list sequences, with_adapter use, completion_rows& rows);
