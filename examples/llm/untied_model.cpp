#include "untied_model.hpp"

#include <ggml-cpp.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <system_error>

#include "input_error.hpp"

void write_untied_model(std::filesystem::path const& from, std::span<float const> output,
                        std::filesystem::path const& to) {
  constexpr char const* output_name = "output.weight";
  ggml_context* read = nullptr;
  gguf_context_ptr const source{gguf_init_from_file(from.c_str(), {.no_alloc = false, .ctx = &read})};
  ggml_context_ptr const tensors{read};
  if (!source || read == nullptr) throw error_at(from.string(), 0, "", "cannot be read again, expected the model");
  ggml_tensor const* const embedding = ggml_get_tensor(read, "token_embd.weight");
  if (embedding == nullptr || ggml_nelements(embedding) != static_cast<std::int64_t>(output.size())) {
    throw error_at(from.string(), 0, "token_embd.weight", "has another shape than the output matrix");
  }

  ggml_context_ptr const own{ggml_init({ggml_tensor_overhead() + output.size_bytes() + 256, nullptr, false})};
  ggml_tensor* const weight = ggml_new_tensor_2d(own.get(), GGML_TYPE_F32, embedding->ne[0], embedding->ne[1]);
  ggml_set_name(weight, output_name);
  std::memcpy(ggml_get_data(weight), output.data(), output.size_bytes());

  gguf_context_ptr const written{gguf_init_empty()};
  gguf_set_kv(written.get(), source.get());
  for (ggml_tensor* tensor = ggml_get_first_tensor(read); tensor != nullptr;
       tensor = ggml_get_next_tensor(read, tensor)) {
    bool const is_weight = gguf_find_tensor(source.get(), ggml_get_name(tensor)) >= 0;
    if (is_weight && std::strcmp(ggml_get_name(tensor), output_name) != 0) gguf_add_tensor(written.get(), tensor);
  }
  gguf_add_tensor(written.get(), weight);
  std::string const unfinished = to.string() + ".part";
  bool const good = gguf_write_to_file(written.get(), unfinished.c_str(), false);
  std::error_code error;
  if (good) std::filesystem::rename(unfinished, to, error);
  if (good && !error) return;
  std::filesystem::remove(unfinished, error);
  throw error_at(to.string(), 0, "", "cannot be written");
}
