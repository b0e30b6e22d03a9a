#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

struct sampling_options {
  std::size_t most_tokens = 128;
  float temperature = 0;  ///< 0: the likeliest token each time
  std::uint32_t seed = 1;
};

/// exact: weights, keys and values as they are, each product in the order of ggml's plain operators. usual: as llama.cpp
/// runs by itself, with repacked weights, fused attention and keys and values of 16 bits; faster, and rounded otherwise.
enum class runtime_kind { exact, usual };

/// llama.cpp's own runtime on the CPU, with its own graph: what trainable_llama is checked against, and samples.
class llama_runtime {
 public:
  /// What llama.cpp cannot load: input_error.
  llama_runtime(std::filesystem::path const& model, std::optional<std::filesystem::path> const& adapter, int threads,
                std::size_t context_length, runtime_kind kind = runtime_kind::exact);
  llama_runtime(llama_runtime&&) noexcept;
  llama_runtime& operator=(llama_runtime&&) noexcept;
  ~llama_runtime();

  /// Of every token of one sequence: [tokens, vocabulary], valid until the next call.
  [[nodiscard]] std::span<float const> logits(std::span<std::int32_t const> ids);
  /// What the model says behind these tokens, without the token that ends it.
  [[nodiscard]] std::vector<std::int32_t> sample(std::span<std::int32_t const> ids, sampling_options const& options);

 private:
  struct state;
  std::unique_ptr<state> state_;
};
