#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

/// A prompt and an answer to it as tokens of the model.
struct token_sequence {
  std::vector<std::int32_t> tokens;
  std::size_t begin = 0;  ///< of the answer
  std::size_t length() const { return tokens.size() - begin; }
  bool operator==(token_sequence const&) const = default;
};

/// The rows of hidden states that predict the tokens of answers, one sequence behind the other, and those tokens.
struct completion_rows {
  std::vector<float> hidden;  ///< [rows, width]
  std::vector<std::int64_t> labels, offsets{0};

  void clear() {
    hidden.clear();
    labels.clear();
    offsets.assign(1, 0);
  }

  /// Of a sequence, the hidden states of the tokens from the one before the answer to the last but one.
  void add(token_sequence const& sequence, std::span<float const> rows) {
    hidden.insert(hidden.end(), rows.begin(), rows.end());
    labels.insert(labels.end(), sequence.tokens.begin() + static_cast<std::ptrdiff_t>(sequence.begin),
                  sequence.tokens.end());
    offsets.push_back(static_cast<std::int64_t>(labels.size()));
  }

  std::size_t sequences() const { return offsets.size() - 1; }
  std::size_t rows() const { return labels.size(); }
};
