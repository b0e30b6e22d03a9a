#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "tokenizer.hpp"

/// Tokens of the answer.
inline std::size_t answer_length(tokenized_pair const& sequence) { return sequence.ids.size() - sequence.boundary; }

/// The rows of hidden states that predict the tokens of answers, one sequence behind the other, and those tokens.
struct completion_rows {
  std::vector<float> hidden;  ///< [rows, width]
  std::vector<std::int64_t> labels, offsets{0};

  void clear() {
    hidden.clear();
    labels.clear();
    offsets.assign(1, 0);
  }

  /// Of a sequence, the hidden states from the token before the answer to the last but one.
  void add(tokenized_pair const& sequence, std::span<float const> rows) {
    hidden.insert(hidden.end(), rows.begin(), rows.end());
    labels.insert(labels.end(), sequence.ids.begin() + static_cast<std::ptrdiff_t>(sequence.boundary),
                  sequence.ids.end());
    offsets.push_back(static_cast<std::int64_t>(labels.size()));
  }

  std::size_t sequences() const { return offsets.size() - 1; }
  std::size_t rows() const { return labels.size(); }
};
