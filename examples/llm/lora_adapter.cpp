#include "lora_adapter.hpp"

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <utility>

#include "input_error.hpp"
#include "number_text.hpp"

namespace {

/// In the order of the blocks' matrices, whatever the order they were named in.
std::vector<lora_matrix> layout_of(llama_shape const& shape, lora_options const& options) {
  std::vector<lora_matrix> matrices;
  std::size_t end = 0;
  for (std::size_t layer = 0; layer < shape.layers; ++layer) {
    for (auto const which : options.matrices) {
      auto const [inputs, outputs] = extents_of(shape, which);
      std::size_t const a = end, b = a + options.rank * inputs;
      end = b + outputs * options.rank;
      matrices.push_back({.layer = layer, .matrix = which, .inputs = inputs, .outputs = outputs, .a = a, .b = b});
    }
  }
  return matrices;
}

}  // namespace

lora_adapter::lora_adapter(llama_shape const& shape, lora_options options) : options_{std::move(options)} {
  if (options_.rank == 0 || options_.rank > shape.width) {
    throw input_error{"--rank: got " + std::to_string(options_.rank) + ", expected 1 to the model's width, " +
                      std::to_string(shape.width) + "; --head-only takes larger ones"};
  }
  if (!(options_.alpha > 0 && std::isfinite(options_.alpha))) {
    throw input_error{"--lora-alpha: got " + number_text(options_.alpha) + ", expected a finite number > 0"};
  }
  if (options_.matrices.empty()) throw input_error{"an adapter over no matrix, expected at least one"};
  std::sort(options_.matrices.begin(), options_.matrices.end());
  if (std::adjacent_find(options_.matrices.begin(), options_.matrices.end()) != options_.matrices.end()) {
    throw input_error{"an adapter that names a matrix twice: " + text_of(options_.matrices)};
  }
  matrices_ = layout_of(shape, options_);
  auto const& last = matrices_.back();
  values_.resize(last.b + last.outputs * options_.rank);
  gradients_.resize(values_.size());
  std::mt19937_64 random{options_.seed};
  for (auto const& matrix : matrices_) {
    double const limit = 1 / std::sqrt(static_cast<double>(matrix.inputs));
    for (std::size_t i = matrix.a; i < matrix.b; ++i) {
      double const unit = static_cast<double>(random() >> 11) * 0x1p-53;
      values_[i] = static_cast<float>((2 * unit - 1) * limit);
    }
  }
}

void lora_adapter::clear_gradients() { std::fill(gradients_.begin(), gradients_.end(), 0.0F); }
