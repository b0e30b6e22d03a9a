#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "llama_shape.hpp"

/// The matrices of a block: queries, keys, values, output of the attention, and those of the feed-forward network.
enum class block_matrix { q, k, v, o, gate, up, down };
inline constexpr std::size_t block_matrices = 7;

/// "attn_q", "ffn_gate", …: its name in GGUF files.
char const* gguf_name(block_matrix matrix);
/// "q,v" or "all". Unknown names, repeated ones, none: input_error.
std::vector<block_matrix> block_matrices_of(std::string_view text);
/// As block_matrices_of reads it.
std::string text_of(std::span<block_matrix const> matrices);

struct matrix_extents {
  std::size_t inputs, outputs;
};
matrix_extents extents_of(llama_shape const& shape, block_matrix matrix);
