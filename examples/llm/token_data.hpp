#pragma once

#include <cstddef>
#include <prefopt/train/reference_file.hpp>
#include <span>
#include <string>
#include <vector>

#include "candidate_list.hpp"
#include "completion_rows.hpp"
#include "preference.hpp"
#include "tokenizer.hpp"

/// How the texts of records become tokens, and of which records.
struct token_options {
  bool as_chat = true;    ///< dialogues, by the model's chat template; otherwise the texts as they are
  std::size_t most = 0;   ///< tokens of a sequence
  bool truncate = false;  ///< what is longer; otherwise its record is left out
  std::size_t limit = 0;  ///< the first so many records that can be used; 0: all
};

/// Preferences as the model reads them.
class token_data {
 public:
  /// Throws input_error, naming the file, if no record is left, and for a text that cannot be tokenized.
  token_data(preference_set data, std::string const& path, tokenizer const& by, token_options const& options);
  token_data(token_data const&) = delete;  // candidates are views of the texts
  token_data& operator=(token_data const&) = delete;

  /// The records that can be used.
  preference_set const& data() const { return data_; }
  candidate_list const& candidates() const { return candidates_; }
  /// One a candidate.
  std::span<tokenized_pair const> sequences() const { return sequences_; }

  /// The answer of one candidate under the prompt of another, whose end stays where both are too long together.
  tokenized_pair under_other_prompt(std::size_t answer, std::size_t prompt) const;

  /// What was left out and cut, for the user.
  std::vector<std::string> const& notes() const { return notes_; }

  /// Of all sequences and of the model that reads them: what log-probs and hidden states depend on.
  prefopt::data_checksum checksum(std::string const& model) const;

 private:
  preference_set data_;
  std::vector<tokenized_pair> sequences_;
  candidate_list candidates_;
  std::size_t most_;
  std::vector<std::string> notes_;
};
