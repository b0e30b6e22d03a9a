#pragma once

#include <Eigen/Core>
#include <array>
#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <string_view>
#include <vector>

/// Texts as a language model reads them: row i sees the bytes before it and predicts labels[i].
struct text_rows {
  static constexpr std::size_t context = 6;  ///< bytes that a row sees
  static constexpr std::int32_t ignored = -100;

  std::vector<std::array<unsigned char, context>> before;
  std::vector<std::int32_t> labels;  ///< a byte of a completion or its end mark; ignored in prompts
  std::vector<std::int64_t> offsets{0};

  void add(std::string_view prompt, std::string_view completion);
};

using row_major_matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// A small language model over bytes: hidden = tanh(sum of an embedding for each of the bytes before), logits = hidden
/// output^T.
struct byte_model {
  static constexpr Eigen::Index alphabet = 256, width = 32;

  row_major_matrix embedding;  ///< [context * alphabet, width]
  row_major_matrix output;     ///< [alphabet, width]

  explicit byte_model(std::mt19937_64& random);

  row_major_matrix hidden(text_rows const& rows) const;  ///< [rows, width]
};

/// The gradient by the embedding, from `hidden` and the gradient by it.
row_major_matrix embedding_gradient(text_rows const& rows, row_major_matrix const& hidden,
                                    row_major_matrix const& d_hidden);
