#include "record_tokens.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "plain_dialogue.hpp"

namespace {

/// A response is what stands behind "Assistant:".
std::vector<message> turns_of_response(std::string const& response) {
  return plain_dialogue("\n\nAssistant:" + response);
}

}  // namespace

bool has_further_turns(preference const& record) {
  return std::ranges::any_of(record.responses,
                             [](std::string const& response) { return turns_of_response(response).size() > 1; });
}

std::vector<tokenized_pair> record_tokens(preference const& record, tokenizer const& by, bool as_chat) {
  std::vector<chat_turn> prompt;
  if (as_chat) {
    for (auto& [role, text] : plain_dialogue(record.prompt)) prompt.push_back({std::move(role), std::move(text)});
  }
  std::vector<tokenized_pair> sequences;
  for (auto const& response : record.responses) {
    if (as_chat) {
      auto const turns = turns_of_response(response);
      sequences.push_back(by.chat_pair(prompt, turns.empty() ? "" : turns.front().text));
    } else {
      sequences.push_back(by.plain_pair(record.prompt, response));
    }
    auto& [ids, boundary] = sequences.back();
    if (boundary == 0 && ids.size() > 1) boundary = 1;
  }
  return sequences;
}

bool cut_to(std::vector<tokenized_pair>& sequences, std::size_t most) {
  std::size_t longest = 0, prompt = 0;
  for (auto const& [ids, boundary] : sequences) {
    longest = std::max(longest, ids.size() - boundary);
    prompt = std::max(prompt, boundary);
  }
  if (prompt + longest <= most) return false;
  std::size_t const least = std::min(prompt, std::max<std::size_t>(most / 4, 1));
  std::size_t const kept = std::max(least, most - std::min(most, longest));
  for (auto& [ids, boundary] : sequences) {
    std::size_t const cut = boundary - std::min(boundary, kept);
    ids.erase(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(cut));
    boundary -= cut;
    ids.resize(std::min(ids.size(), most));
  }
  return true;
}
