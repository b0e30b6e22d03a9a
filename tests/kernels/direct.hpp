#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

// The same calls compiled for one instruction set, and through the kernels that are picked at run time. The data are
// made of whole numbers, so that they are the same everywhere.

struct direct_data {
  static constexpr std::size_t pairs = 1003, rows = 60, vocabulary = 703, sequences = 6;

  std::vector<float> first, second, third, fourth, logits;
  std::vector<std::int64_t> offsets{0, 3, 3, 10, 80, 1003}, labels;

  direct_data() {
    std::uint32_t state = 7;
    auto const next = [&](int divisor) {
      state = state * 1664525U + 1013904223U;
      return static_cast<float>(static_cast<std::int32_t>(state >> 8U) - (1 << 23)) / static_cast<float>(divisor);
    };
    for (auto* column : {&first, &second, &third, &fourth}) {
      for (std::size_t i = 0; i < pairs; ++i) column->push_back(next(1 << 20));
    }
    for (std::size_t i = 0; i < rows * vocabulary; ++i) logits.push_back(next(1 << 21));
    for (std::size_t i = 0; i < rows; ++i) labels.push_back(i % 7 == 0 ? -100 : static_cast<std::int64_t>(i * 11));
  }
};

/// c = a b or c += a b, element (i, j) of a matrix at i row + j column. Compiled once: what is multiplied does not
/// belong to the kernels.
struct strided_matrix {
  float const* first;
  std::ptrdiff_t row, column;
};
void multiply_strided(strided_matrix const& a, strided_matrix const& b, float* c, std::ptrdiff_t c_row,
                      std::size_t rows, std::size_t inner, std::size_t columns, bool accumulate);

/// Everything that the calls write, one number behind the other.
using direct_results = std::vector<double>;

direct_results direct_sse2(direct_data const& data);
direct_results direct_sse4_2(direct_data const& data);
direct_results direct_avx2(direct_data const& data);
direct_results direct_avx512(direct_data const& data);
direct_results direct_neon(direct_data const& data);
