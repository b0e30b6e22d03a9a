#include "random_llama.hpp"

#include <array>
#include <cmath>
#include <cstdint>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

constexpr std::int64_t vocabulary = 300;

/// A SentencePiece vocabulary in which every text has tokens: unknown, beginning, end, the bytes, ChatML's signs, blank
/// and letters, and words of nothing.
void set_tokenizer(gguf_context* file) {
  enum kind : std::int32_t { normal = 1, unknown = 2, control = 3, byte = 6 };
  std::vector<std::string> tokens{"<unk>", "<s>", "</s>"};
  std::vector<std::int32_t> kinds{unknown, control, control};
  auto const add = [&](std::string token, std::int32_t kind) {
    tokens.push_back(std::move(token));
    kinds.push_back(kind);
  };
  constexpr char digits[] = "0123456789ABCDEF";
  for (unsigned value = 0; value < 256; ++value)
    add({'<', '0', 'x', digits[value / 16], digits[value % 16], '>'}, byte);
  add("<|im_start|>", control);
  add("<|im_end|>", control);
  add("\xe2\x96\x81", normal);
  for (char letter = 'a'; letter <= 'z'; ++letter) add({letter}, normal);
  while (tokens.size() < static_cast<std::size_t>(vocabulary))
    add("\xe2\x96\x81w" + std::to_string(tokens.size()), normal);
  std::vector<char const*> texts;
  for (auto const& token : tokens) texts.push_back(token.c_str());
  std::vector<float> const scores(tokens.size());
  gguf_set_val_str(file, "tokenizer.ggml.model", "llama");
  gguf_set_arr_str(file, "tokenizer.ggml.tokens", texts.data(), texts.size());
  gguf_set_arr_data(file, "tokenizer.ggml.scores", GGUF_TYPE_FLOAT32, scores.data(), scores.size());
  gguf_set_arr_data(file, "tokenizer.ggml.token_type", GGUF_TYPE_INT32, kinds.data(), kinds.size());
  gguf_set_val_u32(file, "tokenizer.ggml.bos_token_id", 1);
  gguf_set_val_u32(file, "tokenizer.ggml.eos_token_id", 2);
  gguf_set_val_u32(file, "tokenizer.ggml.eot_token_id", 260);
  gguf_set_val_bool(file, "tokenizer.ggml.add_bos_token", false);
  gguf_set_val_bool(file, "tokenizer.ggml.add_space_prefix", false);
  gguf_set_val_str(file, "tokenizer.chat_template",
                   "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + "
                   "'<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}"
                   "{% endif %}");
}

/// Tensors with random numbers, each from a generator of its own.
class tensor_writer {
 public:
  tensor_writer(random_llama const& model, gguf_context* file)
      : model_{model},
        file_{file},
        context_{ggml_init({.mem_size = std::size_t{256} << 20, .mem_buffer = nullptr, .no_alloc = false})} {}

  void matrix(std::string const& name, std::size_t inputs, std::size_t outputs) {
    double const deviation = 1 / std::sqrt(static_cast<double>(inputs));
    add(name, model_.type, inputs, outputs, [&](double normal) { return deviation * normal; });
  }
  void vector(std::string const& name, std::size_t size, double least) {
    add(name, GGML_TYPE_F32, size, 1, [&](double normal) { return least + std::abs(0.3 * normal); });
  }

 private:
  template <class Number>
  void add(std::string const& name, ggml_type type, std::size_t columns, std::size_t rows, Number number) {
    ++made_;
    if (name == model_.without) return;
    if (name == model_.too_long) rows == 1 ? ++columns : ++rows;
    auto const width = static_cast<std::int64_t>(columns), height = static_cast<std::int64_t>(rows);
    auto* const tensor = rows == 1 ? ggml_new_tensor_1d(context_.get(), type, width)
                                   : ggml_new_tensor_2d(context_.get(), type, width, height);
    std::mt19937_64 random{1000 * model_.seed + made_};
    std::vector<float> values(columns * rows);
    for (auto& value : values) {
      // Twelve uniform numbers in place of a normal one: the same on every machine.
      double sum = -6;
      for (int i = 0; i < 12; ++i) sum += static_cast<double>(random() >> 11) * 0x1p-53;
      value = static_cast<float>(number(sum));
    }
    ggml_quantize_chunk(type, values.data(), tensor->data, 0, height, width, nullptr);
    ggml_set_name(tensor, name.c_str());
    gguf_add_tensor(file_, tensor);
  }

  random_llama const& model_;
  gguf_context* file_;
  ggml_context_ptr context_;
  std::uint64_t made_ = 0;
};

}  // namespace

void random_llama::write(std::filesystem::path const& path) const {
  gguf_context_ptr const file{gguf_init_empty()};
  auto const set = [&](char const* key, std::size_t value) {
    gguf_set_val_u32(file.get(), key, static_cast<std::uint32_t>(value));
  };
  gguf_set_val_str(file.get(), "general.architecture", "llama");
  gguf_set_val_str(file.get(), "general.name", "random");
  set("llama.block_count", layers);
  set("llama.context_length", 1024);
  set("llama.embedding_length", width);
  set("llama.feed_forward_length", feed_forward);
  set("llama.attention.head_count", heads);
  set("llama.attention.head_count_kv", kv_heads);
  set("llama.rope.dimension_count", width / heads);
  set("llama.vocab_size", static_cast<std::size_t>(vocabulary));
  gguf_set_val_f32(file.get(), "llama.attention.layer_norm_rms_epsilon", 1e-5F);
  gguf_set_val_f32(file.get(), "llama.rope.freq_base", 10000);
  set_tokenizer(file.get());

  tensor_writer tensors{*this, file.get()};
  std::size_t const head_width = width / heads;
  auto const tokens = static_cast<std::size_t>(vocabulary);
  tensors.matrix("token_embd.weight", width, tokens);
  tensors.vector("output_norm.weight", width, 0.8);
  if (!tied) tensors.matrix("output.weight", width, tokens);
  if (rope_factors) tensors.vector("rope_freqs.weight", head_width / 2, 1);
  for (std::size_t layer = 0; layer < layers; ++layer) {
    auto const block = "blk." + std::to_string(layer) + '.';
    tensors.vector(block + "attn_norm.weight", width, 0.8);
    tensors.vector(block + "ffn_norm.weight", width, 0.8);
    tensors.matrix(block + "attn_q.weight", width, heads * head_width);
    tensors.matrix(block + "attn_k.weight", width, kv_heads * head_width);
    tensors.matrix(block + "attn_v.weight", width, kv_heads * head_width);
    tensors.matrix(block + "attn_output.weight", heads * head_width, width);
    tensors.matrix(block + "ffn_gate.weight", width, feed_forward);
    tensors.matrix(block + "ffn_up.weight", width, feed_forward);
    tensors.matrix(block + "ffn_down.weight", feed_forward, width);
  }
  if (!added.empty()) tensors.vector(added, width, 0);
  if (change_keys) change_keys(file.get());
  if (!gguf_write_to_file(file.get(), path.c_str(), false)) {
    throw std::runtime_error("could not write " + path.string());
  }
}
