#include "block_matrix.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

#include "input_error.hpp"

namespace {

struct matrix_name {
  char const *name, *in_gguf;
};

constexpr std::array<matrix_name, block_matrices> names{{{"q", "attn_q"},
                                                         {"k", "attn_k"},
                                                         {"v", "attn_v"},
                                                         {"o", "attn_output"},
                                                         {"gate", "ffn_gate"},
                                                         {"up", "ffn_up"},
                                                         {"down", "ffn_down"}}};

}  // namespace

char const* gguf_name(block_matrix matrix) { return names[static_cast<std::size_t>(matrix)].in_gguf; }

std::vector<block_matrix> block_matrices_of(std::string_view text) {
  std::vector<block_matrix> matrices;
  if (text == "all") {
    for (std::size_t i = 0; i < names.size(); ++i) matrices.push_back(static_cast<block_matrix>(i));
    return matrices;
  }
  for (std::size_t begin = 0; begin <= text.size();) {
    auto const end = std::min(text.find(',', begin), text.size());
    auto const name = text.substr(begin, end - begin);
    auto const found = std::find_if(names.begin(), names.end(), [&](auto const& known) { return known.name == name; });
    if (found == names.end()) {
      throw input_error{"--matrices: got " + in_quotes(name) + ", expected all, or some of q,k,v,o,gate,up,down"};
    }
    auto const matrix = static_cast<block_matrix>(found - names.begin());
    if (std::find(matrices.begin(), matrices.end(), matrix) != matrices.end()) {
      throw input_error{"--matrices: got " + in_quotes(name) + " twice in " + in_quotes(text)};
    }
    matrices.push_back(matrix);
    begin = end + 1;
  }
  return matrices;
}

std::string text_of(std::span<block_matrix const> matrices) {
  std::string text;
  for (auto const matrix : matrices) {
    text.append(text.empty() ? "" : ",").append(names[static_cast<std::size_t>(matrix)].name);
  }
  return text;
}

matrix_extents extents_of(llama_shape const& shape, block_matrix matrix) {
  std::size_t const queries = shape.heads * shape.head_width, keys = shape.kv_heads * shape.head_width;
  switch (matrix) {
    case block_matrix::q:
      return {shape.width, queries};
    case block_matrix::k:
    case block_matrix::v:
      return {shape.width, keys};
    case block_matrix::o:
      return {queries, shape.width};
    case block_matrix::gate:
    case block_matrix::up:
      return {shape.width, shape.feed_forward};
    case block_matrix::down:
      break;
  }
  return {shape.feed_forward, shape.width};
}
