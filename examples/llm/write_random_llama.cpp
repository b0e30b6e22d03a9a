// Writes a small random model of the Llama architecture as GGUF, for tests: 2 layers, width 64, 300 tokens, a tokenizer of
// bytes and letters, ChatML as its template.
//   write_random_llama FILE [SEED [f32|f16|q8_0]]

#include <ggml-cpp.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

namespace {

constexpr std::int64_t vocabulary = 300, width = 64, heads = 4, kv_heads = 2, feed_forward = 128, layers = 2;

class random_llama {
 public:
  random_llama(std::uint64_t seed, ggml_type type)
      : random_{seed}, type_{type}, file_{gguf_init_empty()}, tensors_{ggml_init({std::size_t{8} << 20, nullptr, false})} {
    std::int64_t const kv_width = width / heads * kv_heads;
    add("token_embd.weight", width, vocabulary);
    add_norm("output_norm.weight");
    for (std::int64_t layer = 0; layer < layers; ++layer) {
      std::string const block = "blk." + std::to_string(layer) + ".";
      add_norm(block + "attn_norm.weight");
      add_norm(block + "ffn_norm.weight");
      add(block + "attn_q.weight", width, width);
      add(block + "attn_k.weight", width, kv_width);
      add(block + "attn_v.weight", width, kv_width);
      add(block + "attn_output.weight", width, width);
      add(block + "ffn_gate.weight", width, feed_forward);
      add(block + "ffn_up.weight", width, feed_forward);
      add(block + "ffn_down.weight", feed_forward, width);
    }
    add_shape();
    add_tokenizer();
  }

  bool write(char const* path) const { return gguf_write_to_file(file_.get(), path, false); }

 private:
  ggml_tensor* named(std::string const& name, ggml_type type, std::int64_t inputs, std::int64_t outputs) {
    ggml_tensor* const made = outputs == 0 ? ggml_new_tensor_1d(tensors_.get(), type, inputs)
                                           : ggml_new_tensor_2d(tensors_.get(), type, inputs, outputs);
    ggml_set_name(made, name.c_str());
    return made;
  }

  /// The same on every machine, which the standard's distributions are not.
  float number() { return static_cast<float>(random_() >> 40U) * 0x1p-23F - 1; }

  void add(std::string const& name, std::int64_t inputs, std::int64_t outputs) {
    ggml_tensor* const matrix = named(name, type_, inputs, outputs);
    std::vector<float> values(static_cast<std::size_t>(inputs * outputs));
    float const bound = 2 / std::sqrt(static_cast<float>(inputs));
    for (float& value : values) value = bound * number();
    ggml_quantize_chunk(type_, values.data(), ggml_get_data(matrix), 0, outputs, inputs, nullptr);
    gguf_add_tensor(file_.get(), matrix);
  }

  void add_norm(std::string const& name) {
    ggml_tensor* const norm = named(name, GGML_TYPE_F32, width, 0);
    for (std::int64_t i = 0; i < width; ++i) ggml_get_data_f32(norm)[i] = 1 + 0.1F * number();
    gguf_add_tensor(file_.get(), norm);
  }

  void add_shape() {
    gguf_set_val_str(file_.get(), "general.architecture", "llama");
    for (auto const& [key, value] : {std::pair{"context_length", std::int64_t{256}},
                                     {"embedding_length", width},
                                     {"block_count", layers},
                                     {"feed_forward_length", feed_forward},
                                     {"attention.head_count", heads},
                                     {"attention.head_count_kv", kv_heads},
                                     {"rope.dimension_count", width / heads},
                                     {"vocab_size", vocabulary}}) {
      gguf_set_val_u32(file_.get(), ("llama." + std::string{key}).c_str(), static_cast<std::uint32_t>(value));
    }
    gguf_set_val_f32(file_.get(), "llama.attention.layer_norm_rms_epsilon", 1e-5F);
    gguf_set_val_f32(file_.get(), "llama.rope.freq_base", 10000);
  }

  void add_tokenizer() {
    enum kind : std::int32_t { normal = 1, unknown = 2, control = 3, byte = 6 };
    std::vector<std::string> texts{"<unk>", "<s>", "</s>", "<|im_start|>", "<|im_end|>"};
    std::vector<std::int32_t> kinds{unknown, control, control, control, control};
    for (int i = 0; i < 256; ++i) {
      char text[8];
      std::snprintf(text, sizeof text, "<0x%02X>", static_cast<unsigned>(i));
      texts.emplace_back(text);
      kinds.push_back(byte);
    }
    texts.emplace_back("\xe2\x96\x81");  // what stands for a space
    for (char letter = 'a'; letter <= 'z'; ++letter) texts.emplace_back(1, letter);
    for (std::size_t i = 0; texts.size() < vocabulary; ++i) texts.emplace_back(1, "etaoinsrhldu"[i]).append("e");
    kinds.resize(texts.size(), normal);
    std::vector<float> scores;
    std::vector<char const*> pointers;
    for (std::size_t i = 0; i < texts.size(); ++i) {
      scores.push_back(kinds[i] == normal ? -static_cast<float>(texts.size() - i) : 0);
      pointers.push_back(texts[i].c_str());
    }
    gguf_set_val_str(file_.get(), "tokenizer.ggml.model", "llama");
    gguf_set_arr_str(file_.get(), "tokenizer.ggml.tokens", pointers.data(), pointers.size());
    gguf_set_arr_data(file_.get(), "tokenizer.ggml.scores", GGUF_TYPE_FLOAT32, scores.data(), scores.size());
    gguf_set_arr_data(file_.get(), "tokenizer.ggml.token_type", GGUF_TYPE_INT32, kinds.data(), kinds.size());
    gguf_set_val_u32(file_.get(), "tokenizer.ggml.unknown_token_id", 0);
    gguf_set_val_u32(file_.get(), "tokenizer.ggml.bos_token_id", 1);
    gguf_set_val_u32(file_.get(), "tokenizer.ggml.eos_token_id", 4);
    gguf_set_val_bool(file_.get(), "tokenizer.ggml.add_bos_token", true);
    gguf_set_val_str(file_.get(), "tokenizer.chat_template",
                     "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + "
                     "'<|im_end|>' + '\\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}"
                     "{% endif %}");
  }

  std::mt19937_64 random_;
  ggml_type type_;
  gguf_context_ptr file_;
  ggml_context_ptr tensors_;
};

}  // namespace

int main(int argc, char** argv) {
  std::string const type = argc > 3 ? argv[3] : "f32";
  for (auto const& [name, of] : {std::pair{"f32", GGML_TYPE_F32}, {"f16", GGML_TYPE_F16}, {"q8_0", GGML_TYPE_Q8_0}}) {
    if (type != name || argc < 2) continue;
    return random_llama{argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1, of}.write(argv[1]) ? 0 : 1;
  }
  std::fprintf(stderr, "write_random_llama: expected FILE [SEED [f32|f16|q8_0]]\n");
  return 2;
}
