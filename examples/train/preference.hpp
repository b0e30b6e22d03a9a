#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <prefopt/batch/pairs.hpp>
#include <string>
#include <vector>

#include "chat_template.hpp"

/// Of the further numbers of a pair that some losses read, those that come with the data: the columns of a pair_batch
/// from the target on.
constexpr std::size_t first_further = prefopt::pair_family::target,
                      further_columns = prefopt::pair_family::input_count - first_further;

/// What they are where a record has none: what they are to a loss without the column. A sign that is not told is none:
/// 1 or -1 would be made up.
constexpr std::array<double, further_columns> neutral_further() {
  std::array<double, prefopt::pair_family::input_count> of_column{};
#define SET_NEUTRAL(name, kind, range, neutral, type) \
  of_column[prefopt::pair_family::name] = prefopt::columns::kind == prefopt::columns::sign ? 0 : neutral;
  PREFOPT_PAIR_COLUMNS(SET_NEUTRAL, )
#undef SET_NEUTRAL
  std::array<double, further_columns> further{};
  for (std::size_t c = 0; c < further_columns; ++c) further[c] = of_column[first_further + c];
  return further;
}

/// The messages of a record that has some, where a text among them is one, too.
struct record_messages {
  std::vector<message> prompt;
  std::vector<std::vector<message>> responses;  ///< one or more messages a response
};

/// Responses to one prompt and how good each is: ranked by rewards, a pair of which the first was liked better, or one
/// alone that is good or bad.
struct preference {
  std::string prompt;
  /// The record names its prompt, or its messages or the marks of turns in its texts tell it; otherwise it is the words
  /// that its responses begin with.
  bool has_prompt = false;
  std::vector<std::string> responses;  ///< two or more; of a pair chosen and rejected; or a completion alone
  std::vector<double> rewards;         ///< one a response; of a pair 1 and 0; of a completion alone its label
  std::vector<double> target;          ///< one a response, the probability that it should have; or none
  record_messages messages;            ///< what the texts are made of, if reading_options::keep_messages; or none
  bool is_pair = false, is_completion = false;
  double weight = 1;
  double margin = 0;  ///< of a pair
  double label = 1;   ///< of a pair: probability that chosen is the better one
  std::array<double, further_columns> further = neutral_further();
  std::size_t annotator = 0;  ///< index into the annotators of the set
  std::size_t line = 0;       ///< of the file
};

struct preference_set {
  std::vector<preference> records;
  std::vector<std::string> annotators;  ///< at least one: the one who stands for all records without a name

  /// Which kinds of records there are, and which of the optional fields at least one record has.
  bool has_pairs = false, has_ranked = false, has_completions = false;
  bool has_weight = false, has_margin = false, has_label = false, has_annotator = false, has_target = false,
       has_scores = false;
  std::array<bool, further_columns> has_further{};
  std::vector<std::string> notes;  ///< what was read, in one line, and what else there is to know of it

  std::uint32_t checksum = 0;  ///< CRC-32 of the text

  /// What its records are called; a pair among groups is a group of two.
  std::string noun() const {
    if (has_completions) return has_pairs || has_ranked ? "records" : "completions";
    return has_ranked ? "groups" : "pairs";
  }
};
