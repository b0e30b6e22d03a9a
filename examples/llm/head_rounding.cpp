#include "head_rounding.hpp"

#include <ggml-cpu.h>

#include <cstdint>
#include <cstring>
#include <vector>

namespace {

/// Blocks of a scale in f32, 256 numbers of 8 bits, and sums, which ggml turns into no numbers.
void numbers_of_q8_k(std::byte const* blocks, std::span<float> row) {
  constexpr std::size_t block = 256;
  for (std::size_t begin = 0; begin < row.size(); begin += block) {
    float scale = 0;
    std::memcpy(&scale, blocks, sizeof scale);
    for (std::size_t i = 0; i < block; ++i) {
      row[begin + i] = scale * static_cast<float>(static_cast<std::int8_t>(blocks[sizeof scale + i]));
    }
    blocks += ggml_type_size(GGML_TYPE_Q8_K);
  }
}

}  // namespace

void round_for(ggml_type matrix, std::span<float> rows, std::size_t width) {
  auto rounded = ggml_get_type_traits_cpu(matrix)->vec_dot_type;
  if (rounded == GGML_TYPE_F32) return;
  // The same with a sum besides.
  if (rounded == GGML_TYPE_Q8_1) rounded = GGML_TYPE_Q8_0;
  auto const count = static_cast<std::int64_t>(width);
  auto const from_float = ggml_get_type_traits_cpu(rounded)->from_float;
  auto const to_float = ggml_get_type_traits(rounded)->to_float;
  std::vector<std::byte> row(ggml_row_size(rounded, count));
  for (std::size_t begin = 0; begin < rows.size(); begin += width) {
    from_float(&rows[begin], row.data(), count);
    if (rounded == GGML_TYPE_Q8_K) {
      numbers_of_q8_k(row.data(), rows.subspan(begin, width));
    } else {
      to_float(row.data(), &rows[begin], count);
    }
  }
}
