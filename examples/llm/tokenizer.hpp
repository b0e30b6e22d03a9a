#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// Ids of a prompt and a completion; what is before `boundary` is the prompt with all that the template says up to the
/// first token of the answer.
struct tokenized_pair {
  std::vector<std::int32_t> ids;
  std::size_t boundary = 0;
};

struct chat_turn {
  std::string role;  ///< "system", "user", "assistant", or another that the template writes
  std::string content;
};

/// One of the three that every template is made for.
bool is_usual_role(std::string_view role);

/// llama.cpp's tokenizer and chat template, of the vocabulary in a GGUF file. Its library knows a template by some words
/// of its text and writes the turns as that kind does: a system message that the file's template puts in front of turns
/// without one is left out.
class tokenizer {
 public:
  /// No vocabulary that llama.cpp reads: input_error.
  explicit tokenizer(std::filesystem::path const& file);
  tokenizer(tokenizer&&) noexcept;
  tokenizer& operator=(tokenizer&&) noexcept;
  ~tokenizer();

  [[nodiscard]] std::size_t vocabulary() const;
  /// The template as it stands in the file, for a checksum; empty if there is none.
  [[nodiscard]] std::string const& chat_template() const;
  /// The token that ends an answer (end of turn, else end of text), or -1.
  [[nodiscard]] std::int32_t end_of_answer() const;

  /// Special tokens in the text, such as <|im_start|>, are plain text unless `parse_special`.
  [[nodiscard]] std::vector<std::int32_t> tokenize(std::string_view text, bool add_beginning, bool parse_special) const;
  [[nodiscard]] std::string detokenize(std::span<std::int32_t const> ids, bool special = false) const;

  /// The turns by the file's chat template, up to where the assistant's answer begins: what a model is prompted with.
  /// Text of the turns that looks like a special token is refused as input_error, for it would be one; so is U+0000.
  /// A file without a template, or with one that llama.cpp's library does not know: input_error. So is a turn that the
  /// library leaves out, or of a role that it takes for another one.
  [[nodiscard]] std::vector<std::int32_t> chat_prompt(std::span<chat_turn const> turns) const;
  /// That prompt and the answer, which ends as the template ends it.
  [[nodiscard]] tokenized_pair chat_pair(std::span<chat_turn const> turns, std::string_view answer) const;
  /// Without a template: the prompt's tokens behind the beginning of text, the completion's, the end of text.
  [[nodiscard]] tokenized_pair plain_pair(std::string_view prompt, std::string_view completion) const;

 private:
  struct state;
  std::unique_ptr<state> state_;
};
