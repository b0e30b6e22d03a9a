#pragma once

#include <memory>
#include <span>
#include <vector>

/// llm.c's GPT-2 with random parameters, driven through its own functions. A batch is always of the same shape
/// [sequences, tokens]; each token's loss is -log p(target).
class gpt2 {
 public:
  struct shape {
    int vocabulary, padded_vocabulary, longest, layers, heads, channels;
  };

  gpt2(shape const& model, int sequences, int tokens);
  ~gpt2();

  /// One input and one target a token; every target has to be a token, that of a masked position, too.
  void forward(std::span<int> inputs, std::span<int> targets);
  [[nodiscard]] std::span<float const> losses() const;

  /// The gradient of the parameters, from that of the losses, which llm.c would have filled with one constant.
  void backward(std::span<float> d_losses);
  [[nodiscard]] std::span<float const> gradient() const;

  /// A step of llm.c's AdamW.
  void update(float rate);
  [[nodiscard]] std::span<float> parameters();

 private:
  struct host;
  std::unique_ptr<host> host_;
};
