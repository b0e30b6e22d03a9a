#include "llama_shape.hpp"

#include <cmath>
#include <string>

#include "gguf_file.hpp"
#include "input_error.hpp"

namespace {

/// The keys of the architecture, "llama." in front.
class llama_keys {
 public:
  explicit llama_keys(gguf_file const& file) : file_{file} {}

  [[nodiscard]] std::size_t count(std::string const& key, std::optional<std::size_t> otherwise = {}) const {
    auto const given = file_.count("llama." + key);
    auto const value = given ? given : otherwise;
    if (!value) file_.refuse("has no llama." + key);
    if (*value == 0 || *value > largest) {
      file_.refuse("its llama." + key + " is " + std::to_string(*value) + ", expected 1 to " + std::to_string(largest));
    }
    return *value;
  }

  [[nodiscard]] float positive(std::string const& key, std::optional<float> otherwise = {}) const {
    auto const given = file_.number("llama." + key);
    auto const value = given ? given : otherwise;
    if (!value) file_.refuse("has no llama." + key);
    if (!(std::isfinite(*value) && *value > 0)) {
      file_.refuse("its llama." + key + " is " + std::to_string(*value) + ", expected a positive number");
    }
    return *value;
  }

 private:
  static constexpr std::size_t largest = std::size_t{1} << 24;

  gguf_file const& file_;
};

/// 1 / the factor of a linear scaling. What frequency factors a file has are a tensor of it, and no scaling.
float rope_scale_of(gguf_file const& file, llama_keys const& keys) {
  auto const type = file.text("llama.rope.scaling.type").value_or("none");
  if (type != "none" && type != "linear") {
    file.refuse("scales positions by " + in_quotes(type) + ", expected none or linear");
  }
  // Before there was a type, this key was a linear factor.
  float const old = file.number("llama.rope.scale_linear") ? keys.positive("rope.scale_linear") : 1.0F;
  return 1 / (type == "linear" ? keys.positive("rope.scaling.factor", old) : old);
}

}  // namespace

llama_shape shape_of(gguf_file const& file) {
  auto const architecture = file.text("general.architecture");
  if (!architecture) file.refuse("has no general.architecture, so it is no language model");
  if (*architecture != "llama") {
    file.refuse("is of the architecture " + in_quotes(*architecture) + ", expected llama");
  }
  if (auto const type = file.text("general.type"); type && *type != "model") {
    file.refuse("is of the type " + in_quotes(*type) + ", expected a model");
  }
  if (file.count("llama.expert_count").value_or(0) != 0) file.refuse("is a mixture of experts, expected a dense Llama");

  llama_keys const keys{file};
  llama_shape shape{.layers = keys.count("block_count"),
                    .width = keys.count("embedding_length"),
                    .heads = keys.count("attention.head_count"),
                    .feed_forward = keys.count("feed_forward_length"),
                    .context_length = keys.count("context_length"),
                    .norm_epsilon = keys.positive("attention.layer_norm_rms_epsilon"),
                    .rope_base = keys.positive("rope.freq_base", 10000.0F)};
  shape.kv_heads = keys.count("attention.head_count_kv", shape.heads);
  if (shape.heads % shape.kv_heads != 0) {
    file.refuse("has " + std::to_string(shape.heads) + " heads, no multiple of its " + std::to_string(shape.kv_heads) +
                " heads of keys and values");
  }
  shape.head_width = keys.count("attention.key_length", shape.width / shape.heads);
  for (auto const* key : {"attention.value_length", "rope.dimension_count"}) {
    if (keys.count(key, shape.head_width) != shape.head_width) {
      file.refuse("its llama." + std::string{key} + " is " + std::to_string(keys.count(key)) +
                  ", expected the width of a head, " + std::to_string(shape.head_width));
    }
  }
  if (shape.head_width % 2 != 0) {
    file.refuse("has heads of width " + std::to_string(shape.head_width) + ", expected an even number");
  }
  shape.rope_scale = rope_scale_of(file, keys);
  auto const tokens = file.array_size("tokenizer.ggml.tokens");
  shape.vocabulary = keys.count("vocab_size", tokens);
  if (tokens && *tokens != shape.vocabulary) {
    file.refuse("has a vocabulary of " + std::to_string(*tokens) + " tokens, but its llama.vocab_size is " +
                std::to_string(shape.vocabulary));
  }
  return shape;
}
