#include "record_tokens.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "plain_dialogue.hpp"

namespace {

bool has_messages(preference const& record) { return !record.messages.responses.empty(); }

std::vector<chat_turn> turns_of_prompt(preference const& record) {
  auto messages = has_messages(record) ? record.messages.prompt : plain_dialogue(record.prompt);
  std::vector<chat_turn> turns;
  for (auto& [role, text] : messages) turns.push_back({std::move(role), std::move(text)});
  return turns;
}

/// At least one; a text is what stands behind "Assistant:".
std::vector<message> turns_of_response(preference const& record, std::size_t index) {
  if (has_messages(record)) return record.messages.responses[index];
  auto turns = plain_dialogue("\n\nAssistant:" + record.responses[index]);
  if (turns.empty()) turns.push_back({"assistant", ""});
  return turns;
}

response_fault fault_of(std::vector<message> const& response) {
  if (response.front().role != "assistant") return response_fault::other_role;
  if (response.size() == 1) return response_fault::none;
  return response[1].role == "user" ? response_fault::further_turn : response_fault::further_message;
}

}  // namespace

response_fault fault_of_responses(preference const& record) {
  for (std::size_t i = 0; i < record.responses.size(); ++i) {
    auto const fault = fault_of(turns_of_response(record, i));
    if (fault != response_fault::none) return fault;
  }
  return response_fault::none;
}

std::vector<tokenized_pair> record_tokens(preference const& record, tokenizer const& by, bool as_chat) {
  auto const prompt = as_chat ? turns_of_prompt(record) : std::vector<chat_turn>{};
  std::vector<tokenized_pair> sequences;
  for (std::size_t i = 0; i < record.responses.size(); ++i) {
    sequences.push_back(as_chat ? by.chat_pair(prompt, turns_of_response(record, i).front().text)
                                : by.plain_pair(record.prompt, record.responses[i]));
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
