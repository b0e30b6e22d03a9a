#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "packed_tokens.hpp"

/// Queries of one sequence that are computed together: they see its tokens up to themselves.
struct attention_piece {
  std::size_t sequence;  ///< row of the sequence's first token
  std::size_t past;      ///< tokens of the sequence before the first query
  std::size_t queries;

  [[nodiscard]] std::size_t row() const { return sequence + past; }
  /// Rows from the sequence's first on that are multiplied. ggml adds up sums of whole vectors in another order than
  /// those of other lengths, and llama.cpp's are whole: what is behind the last query counts 0.
  [[nodiscard]] std::size_t keys() const { return (past + queries + whole - 1) / whole * whole; }

  static constexpr std::size_t whole = 16;
};

/// Sequences are cut so that little is computed of what no query sees. Where depends on the sequence alone: so do bits.
inline std::vector<attention_piece> pieces_of(packed_tokens tokens) {
  constexpr std::size_t most_queries = 128;
  std::vector<attention_piece> pieces;
  for (std::size_t i = 0; i < tokens.sequences(); ++i) {
    std::size_t const begin = tokens.offsets[i], size = tokens.offsets[i + 1] - begin;
    for (std::size_t past = 0; past < size; past += most_queries) {
      pieces.push_back({begin, past, std::min(most_queries, size - past)});
    }
  }
  return pieces;
}

/// Rows that there must be for the keys of every piece.
inline std::size_t rows_of(std::vector<attention_piece> const& pieces) {
  std::size_t rows = 0;
  for (auto const& piece : pieces) rows = std::max(rows, piece.sequence + piece.keys());
  return rows;
}
