#include "llama_weights.hpp"

#include <ggml-cpu.h>

#include <array>
#include <cstdint>
#include <string>

#include "input_error.hpp"

namespace {

class weight_reader {
 public:
  explicit weight_reader(gguf_file& file) : file_{file} {}

  [[nodiscard]] ggml_tensor* matrix(std::string const& name, matrix_extents extents) const {
    auto* const weight = required(name, {extents.inputs, extents.outputs});
    auto const* const cpu = ggml_get_type_traits_cpu(weight->type);
    bool const is_read = weight->type == GGML_TYPE_F32 || ggml_get_type_traits(weight->type)->to_float != nullptr;
    if (!is_read || cpu->vec_dot == nullptr) {
      file_.refuse("its tensor " + name + " is of the type " + ggml_type_name(weight->type) +
                   ", which ggml's CPU does not multiply");
    }
    return weight;
  }

  [[nodiscard]] ggml_tensor* vector(std::string const& name, std::size_t size) const {
    return in_f32(name, required(name, {size, 1}));
  }

  [[nodiscard]] ggml_tensor* vector_if_there(std::string const& name, std::size_t size) const {
    auto* const weight = file_.find(name);
    if (weight != nullptr) check(name, *weight, {size, 1});
    return in_f32(name, weight);
  }

  [[nodiscard]] bool has(std::string const& name) const { return file_.find(name) != nullptr; }

 private:
  [[nodiscard]] ggml_tensor* required(std::string const& name, matrix_extents extents) const {
    auto* const weight = file_.find(name);
    if (weight == nullptr) file_.refuse("has no tensor " + name);
    check(name, *weight, extents);
    return weight;
  }

  void check(std::string const& name, ggml_tensor const& weight, matrix_extents extents) const {
    std::array const expected{extents.inputs, extents.outputs, std::size_t{1}, std::size_t{1}};
    bool fits = true;
    for (std::size_t i = 0; i < expected.size(); ++i)
      fits = fits && weight.ne[i] == static_cast<std::int64_t>(expected[i]);
    if (fits) return;
    std::string got;
    for (int i = 0; i < ggml_n_dims(&weight); ++i) got += (i == 0 ? "" : " x ") + std::to_string(weight.ne[i]);
    std::string const wanted =
        std::to_string(extents.inputs) + (extents.outputs == 1 ? "" : " x " + std::to_string(extents.outputs));
    file_.refuse("its tensor " + name + " is " + got + ", expected " + wanted);
  }

  [[nodiscard]] ggml_tensor* in_f32(std::string const& name, ggml_tensor* weight) const {
    if (weight != nullptr && weight->type != GGML_TYPE_F32) {
      file_.refuse("its tensor " + name + " is of the type " + ggml_type_name(weight->type) + ", expected f32");
    }
    return weight;
  }

  gguf_file& file_;
};

}  // namespace

llama_weights::llama_weights(gguf_file& file, llama_shape const& shape) {
  weight_reader const read{file};
  matrix_extents const by_token{shape.width, shape.vocabulary};
  embedding = read.matrix("token_embd.weight", by_token);
  norm = read.vector("output_norm.weight", shape.width);
  head = read.has("output.weight") ? read.matrix("output.weight", by_token) : embedding;
  rope_factors = read.vector_if_there("rope_freqs.weight", shape.head_width / 2);
  for (std::size_t layer = 0; layer < shape.layers; ++layer) {
    std::string const block = "blk." + std::to_string(layer) + '.';
    block_weights weights{.attention_norm = read.vector(block + "attn_norm.weight", shape.width),
                          .feed_forward_norm = read.vector(block + "ffn_norm.weight", shape.width),
                          .matrix = {}};
    for (std::size_t i = 0; i < block_matrices; ++i) {
      auto const which = static_cast<block_matrix>(i);
      weights.matrix[i] = read.matrix(block + gguf_name(which) + ".weight", extents_of(shape, which));
    }
    blocks.push_back(weights);
  }
  if (auto const other = file.unread(); !other.empty()) {
    file.refuse("has a tensor " + on_one_line(other) + ", which is none of a Llama's that is read here");
  }
}
