#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "packed_tokens.hpp"

/// Queries of one sequence that are computed together: they see its tokens up to themselves.
struct attention_piece {
  std::size_t shared;  ///< of the tokens before the first query, so many are the first rows of all
  std::size_t row;     ///< of the first query; the other tokens before it are in the rows before it
  std::size_t past;    ///< tokens before the first query
  std::size_t queries;

  /// Tokens that are multiplied. ggml adds up sums of whole vectors in another order than those of other lengths, and
  /// llama.cpp's are whole: what is behind the last query counts 0.
  [[nodiscard]] std::size_t keys() const { return (past + queries + whole - 1) / whole * whole; }

  /// Whether the keys are the rows from row - past on.
  [[nodiscard]] bool is_in_a_row() const { return shared == 0 || row == past; }
  /// The row of each of the keys; of those behind the last query, any.
  [[nodiscard]] std::vector<std::int32_t> key_rows() const {
    std::vector<std::int32_t> rows(keys());
    for (std::size_t i = 0; i < past + queries; ++i) {
      rows[i] = static_cast<std::int32_t>(i < shared ? i : row - past + i);
    }
    return rows;
  }

  static constexpr std::size_t whole = 16;
};

/// Sequences are cut so that little is computed of what no query sees, and into parts of like size: ggml multiplies a
/// single query in another order of sums.
inline std::vector<attention_piece> pieces_of(packed_tokens tokens) {
  constexpr std::size_t most_queries = 128;
  std::vector<attention_piece> pieces;
  auto const cut = [&](std::size_t shared, std::size_t begin, std::size_t end) {
    std::size_t const size = end - begin, count = (size + most_queries - 1) / most_queries;
    for (std::size_t i = 0; i < count; ++i) {
      std::size_t const first = size * i / count, behind = size * (i + 1) / count;
      pieces.push_back({shared, begin + first, shared + first, behind - first});
    }
  };
  cut(0, 0, tokens.shared());
  for (std::size_t i = 0; i < tokens.sequences(); ++i) cut(tokens.shared(), tokens.offsets[i], tokens.offsets[i + 1]);
  return pieces;
}

/// Rows that there must be for the keys of every piece.
inline std::size_t rows_of(std::vector<attention_piece> const& pieces) {
  std::size_t rows = 0;
  for (auto const& piece : pieces) {
    rows = std::max(rows, piece.is_in_a_row() ? piece.row - piece.past + piece.keys() : piece.row + piece.queries);
  }
  return rows;
}
