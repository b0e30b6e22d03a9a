#include "record_tokens.hpp"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <string>
#include <utility>

#include "plain_dialogue.hpp"

namespace {

/// What the model reads before an answer, and the answer to the end of its turn.
struct answer_text {
  std::string before, answer;
};

answer_text chat_text(std::string const& prompt, std::string const& response, tokenizer const& by) {
  std::vector<message> turns = plain_dialogue(prompt);
  std::string const before = by.chat(turns, true);
  for (auto& turn : plain_dialogue("\n\nAssistant:" + response)) turns.push_back(std::move(turn));
  std::string whole = by.chat(turns, false);
  // An answer without a text is a turn, too.
  if (turns.back().role != "assistant") whole = by.chat((turns.push_back({"assistant", ""}), turns), false);
  return {before, whole.substr(std::min(before.size(), whole.size()))};
}

}  // namespace
