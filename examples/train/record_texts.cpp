#include "record_texts.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

namespace {

constexpr std::string_view assistant_turn = "\n\nAssistant:";

/// Where the completions begin in texts that share a prompt, and whether a mark says so.
struct prompt_end {
  std::size_t length = 0;
  bool is_marked = false;
};

prompt_end end_of_prompt(std::vector<std::string> const& dialogues) {
  std::string_view shared = dialogues.front();
  for (auto const& other : dialogues) {
    auto const end = std::mismatch(shared.begin(), shared.end(), other.begin(), other.end()).first;
    shared = shared.substr(0, static_cast<std::size_t>(end - shared.begin()));
  }
  if (auto const turn = shared.rfind(assistant_turn); turn != shared.npos) return {turn + assistant_turn.size(), true};
  auto const space = shared.find_last_of(" \t\n");
  return {space == shared.npos ? 0 : space + 1, false};
}

void set_plain_texts(preference& record, std::optional<std::string> prompt, std::vector<std::string> responses) {
  record.responses = std::move(responses);
  record.has_prompt = prompt.has_value();
  if (prompt) {
    record.prompt = std::move(*prompt);
  } else {
    // Without a mark it may be no more than the words that both answers happen to begin with; of one answer, all of them.
    prompt_end const end = end_of_prompt(record.responses);
    record.has_prompt = end.is_marked;
    if (record.is_completion && !end.is_marked) return;
    record.prompt = record.responses.front().substr(0, end.length);
    for (auto& response : record.responses) response.erase(0, end.length);
  }
}

using turns = std::vector<message>;

/// How many messages all begin with, of which none is the last of a response.
std::size_t shared_messages(std::vector<turns> const& responses) {
  std::size_t shared = responses.front().size();
  for (auto const& other : responses) {
    shared = std::min({shared, other.empty() ? 0 : other.size() - 1});
    auto const& first = responses.front();
    auto const end =
        std::mismatch(first.begin(), first.begin() + static_cast<std::ptrdiff_t>(shared), other.begin()).first;
    shared = static_cast<std::size_t>(end - first.begin());
  }
  return shared;
}

bool begins_with(turns const& all, turns const& begin) {
  return all.size() > begin.size() && std::equal(begin.begin(), begin.end(), all.begin());
}

void set_messages(preference& record, turns const& prompt, std::vector<turns> const& responses, chat_template format) {
  // The prompt ends with the header of the response, if that is the same for all. No response is empty.
  std::string_view const role = responses.front().front().role;
  bool const is_shared =
      std::ranges::all_of(responses, [&](turns const& response) { return response.front().role == role; });
  record.has_prompt = !prompt.empty();
  record.prompt = beginning(format);
  record.prompt += body(format, prompt);
  if (is_shared) record.prompt += header(format, role);
  for (auto const& response : responses) record.responses.push_back(body(format, response, !is_shared));
}

}  // namespace

void set_texts(preference& record, std::optional<dialogue> prompt, std::vector<dialogue> responses,
               reading_options const& options, left_out& out) {
  auto const is_text = [](dialogue const& said) { return std::holds_alternative<std::string>(said); };
  if (std::ranges::all_of(responses, is_text) && (!prompt || is_text(*prompt))) {
    std::vector<std::string> texts;
    for (auto& response : responses) texts.push_back(std::get<std::string>(std::move(response)));
    set_plain_texts(record, prompt ? std::optional{std::get<std::string>(std::move(*prompt))} : std::nullopt,
                    std::move(texts));
    return;
  }
  std::vector<turns> said;
  for (auto& response : responses) said.push_back(as_messages(std::move(response), "assistant"));
  bool const is_prompt_text = prompt && is_text(*prompt);
  turns first = prompt ? as_messages(std::move(*prompt), "user") : turns{};
  std::size_t begin = 0;
  std::size_t const shared = shared_messages(said);
  if (!prompt || (is_prompt_text && shared > 0)) {
    // A text beside whole dialogues says again what they begin with.
    turns const repeated{said.front().begin(), said.front().begin() + static_cast<std::ptrdiff_t>(shared)};
    if (is_prompt_text && std::ranges::find(repeated, first.front()) == repeated.end()) {
      out.add("prompt that is none of the messages");
    }
    first = repeated;
    begin = shared;
  } else if (std::ranges::all_of(said, [&](turns const& response) { return begins_with(response, first); })) {
    begin = first.size();
  }
  for (auto& response : said) response.erase(response.begin(), response.begin() + static_cast<std::ptrdiff_t>(begin));
  set_messages(record, first, said, options.format);
  if (options.keep_messages) record.messages = {std::move(first), std::move(said)};
}
