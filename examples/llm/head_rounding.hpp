#pragma once

#include <ggml.h>

#include <cstddef>
#include <span>

/// Rounds rows in place as ggml rounds what it multiplies with a matrix of that type: to 8 bits a number in blocks for
/// quantized ones, to 16 bits for f16 and bf16, not at all for f32. A product of these rows with the matrix's numbers
/// is then what ggml's is.
void round_for(ggml_type matrix, std::span<float> rows, std::size_t width);
