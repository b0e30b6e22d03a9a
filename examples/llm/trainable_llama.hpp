#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <prefopt/view/row_major.hpp>
#include <span>

#include "llama_shape.hpp"
#include "lora_adapter.hpp"
#include "packed_tokens.hpp"

enum class with_adapter { no, yes };

/// A language model of the Llama architecture out of a GGUF file, whose weights stay as they are in the file, and an
/// adapter over it that can be trained. Its output is the hidden states behind the last norm, which the head multiplies:
///
///     trainable_llama model{"model.gguf", 2};
///     model.set_adapter({model.shape(), {.rank = 8}});
///     model.hidden_states(tokens, with_adapter::no, rows);   the reference: nothing is kept
///     model.forward(tokens, rows);                           the policy: what the backward pass reads is kept
///     … a loss from rows and model.head(), its gradient into d_rows …
///     model.backward(d_rows);                                adds into model.adapter().gradients()
///
/// These rows are rounded as ggml rounds what it multiplies with a head of the file's type (not at all where that is
/// f32), so that their plain product with head() gives llama.cpp's logits. Gradients pass through that rounding, and
/// those in front of quantized matrices, as if it were none.
///
/// Bits depend neither on the number of threads nor on what else is packed; nor, where two tokens or more are behind it,
/// on whether a beginning is shared.
/// One thread of the caller at a time.
class trainable_llama {
 public:
  /// What cannot be read, is no Llama, lacks a weight, has one of another shape or one that is not read here, or ends
  /// early: input_error, one sentence. The file is mapped into memory and must not change.
  explicit trainable_llama(std::filesystem::path const& file, int threads = 1);
  trainable_llama(trainable_llama&&) noexcept;
  trainable_llama& operator=(trainable_llama&&) noexcept;
  ~trainable_llama();

  [[nodiscard]] llama_shape const& shape() const;
  [[nodiscard]] std::size_t width() const { return shape().width; }
  [[nodiscard]] std::size_t vocabulary() const { return shape().vocabulary; }
  [[nodiscard]] std::size_t layers() const { return shape().layers; }
  [[nodiscard]] std::size_t context_length() const { return shape().context_length; }
  /// 64-bit FNV-1a over the words of the whole file: weights, tokenizer and template.
  [[nodiscard]] std::uint64_t checksum() const;
  [[nodiscard]] int threads() const;
  void set_threads(int threads);
  /// Whether hidden states are rounded for the file's head, as at first; not for another head in f32.
  void set_rounding(bool is_rounded);

  /// The output matrix [vocabulary, width], for prefopt::linear_head, in f32: hidden states are f32, and a head of 16
  /// bits would take them rounded, too. Made from the file's type at the first call.
  [[nodiscard]] prefopt::row_major<float const> head() const;

  /// An adapter of another shape: input_error. Its numbers may be changed between any two calls.
  void set_adapter(lora_adapter adapter);
  void remove_adapter();
  [[nodiscard]] bool has_adapter() const;
  [[nodiscard]] lora_adapter& adapter();
  [[nodiscard]] lora_adapter const& adapter() const;

  /// rows [tokens, width]. Ids outside the vocabulary, offsets that do not span them, an empty sequence, one longer
  /// than context_length(), rows of another size, an adapter that is wanted and not there: input_error.
  void hidden_states(packed_tokens tokens, with_adapter use, std::span<float> rows);

  /// The same with the adapter, bit for bit, ready for backward(). Memory: what the backward pass reads, some 0.8 MB a
  /// token in a model of 135 million parameters, until the next call of either.
  void forward(packed_tokens tokens, std::span<float> rows);

  /// Once for each forward(): adds the gradients by the adapter's matrices, of the loss whose gradient by the rows is
  /// d_rows.
  void backward(std::span<float const> d_rows);

 private:
  struct state;
  std::unique_ptr<state> state_;
};
