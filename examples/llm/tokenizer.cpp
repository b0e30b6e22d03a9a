#include "tokenizer.hpp"

#include <llama-cpp.h>

#include <algorithm>
#include <stdexcept>

#include "input_error.hpp"
#include "loaded_by_llama.hpp"

namespace {

/// What llama.cpp writes into room that it may find too small: `write(pointer, size)` is how many there are, or that
/// many below 0.
template <class Sequence, class Write>
Sequence written(std::size_t guess, Write write) {
  Sequence items(guess, {});
  auto count = write(items.data(), static_cast<std::int32_t>(items.size()));
  if (count < 0) {
    items.resize(static_cast<std::size_t>(-static_cast<std::int64_t>(count)));
    count = write(items.data(), static_cast<std::int32_t>(items.size()));
  }
  if (count < 0) throw input_error{"a text that is too long for llama.cpp"};
  items.resize(static_cast<std::size_t>(count));
  return items;
}

constexpr std::string_view letters_of_roles = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";

bool begins_with(std::span<std::int32_t const> ids, std::span<std::int32_t const> beginning) {
  return ids.size() >= beginning.size() && std::equal(beginning.begin(), beginning.end(), ids.begin());
}

}  // namespace

bool is_usual_role(std::string_view role) { return role == "system" || role == "user" || role == "assistant"; }

struct tokenizer::state {
  std::filesystem::path path;
  llama_model_ptr model;
  llama_vocab const* vocabulary = nullptr;
  std::string chat_template;

  [[nodiscard]] std::string applied(std::span<chat_turn const> turns, bool answer_follows) const;
  void check(std::span<chat_turn const> turns) const;
  void check_roles(std::span<chat_turn const> turns) const;
  /// Whether a role other than the usual ones is something to the template.
  [[nodiscard]] bool has_role(std::string const& role) const;
  void check_plain(std::string const& what, std::string_view text) const;
  [[nodiscard]] std::vector<std::int32_t> ids_of(std::string_view text, bool add_beginning, bool parse_special) const;
  /// Of a text by the template: with the beginning of text once.
  [[nodiscard]] std::vector<std::int32_t> ids_of_template(std::string_view text) const;
};

std::vector<std::int32_t> tokenizer::state::ids_of(std::string_view text, bool add_beginning,
                                                   bool parse_special) const {
  auto ids = written<std::vector<std::int32_t>>(text.size() + 2, [&](std::int32_t* room, std::int32_t size) {
    return llama_tokenize(vocabulary, text.data(), static_cast<std::int32_t>(text.size()), room, size, false,
                          parse_special);
  });
  if (add_beginning && llama_vocab_get_add_bos(vocabulary)) ids.insert(ids.begin(), llama_vocab_bos(vocabulary));
  return ids;
}

std::vector<std::int32_t> tokenizer::state::ids_of_template(std::string_view text) const {
  auto ids = ids_of(text, true, true);
  auto const bos = llama_vocab_bos(vocabulary);
  if (ids.size() > 1 && bos >= 0 && ids[0] == bos && ids[1] == bos) ids.erase(ids.begin());
  return ids;
}

void tokenizer::state::check_plain(std::string const& what, std::string_view text) const {
  if (text.find('\0') != text.npos) throw input_error{what + " has U+0000 in it, where a text ends to llama.cpp"};
  for (auto const id : ids_of(text, false, true)) {
    if (llama_vocab_is_control(vocabulary, id) || llama_vocab_is_eog(vocabulary, id)) {
      throw input_error{what + " has " + in_quotes(llama_vocab_get_text(vocabulary, id)) +
                        " in it, which the model takes for a sign of its template: expected plain text"};
    }
  }
}

void tokenizer::state::check(std::span<chat_turn const> turns) const {
  if (chat_template.empty()) throw error_at(path.string(), 0, "", "has no chat template (tokenizer.chat_template)");
  if (turns.empty()) throw input_error{"a chat without a turn, expected at least one"};
  for (auto const& turn : turns) check_plain("a turn of " + in_quotes(turn.role), turn.content);
  check_roles(turns);
}

void tokenizer::state::check_roles(std::span<chat_turn const> turns) const {
  std::vector<chat_turn> numbered;
  for (auto const& turn : turns) {
    std::string const what = "a turn of " + in_quotes(turn.role);
    // Others could make a sign of the template together with what it writes around them.
    if (turn.role.find_first_not_of(letters_of_roles) != turn.role.npos) {
      throw input_error{what + ", expected a role of letters, digits, _, - and ."};
    }
    if (!is_usual_role(turn.role) && !has_role(turn.role)) {
      throw input_error{what +
                        ", a role that the model's chat template does not have as llama.cpp's library knows it: "
                        "expected system, user or assistant"};
    }
    numbered.push_back({turn.role, "#" + std::to_string(numbered.size()) + "#"});
  }
  std::string const text = applied(numbered, true);
  for (auto const& [role, number] : numbered) {
    if (text.find(number) != text.npos) continue;
    throw input_error{"a turn of " + in_quotes(role) +
                      ", which the model's chat template leaves out there as llama.cpp's library knows it"};
  }
}

bool tokenizer::state::has_role(std::string const& role) const {
  // No template knows this one: it is written as it is, at most in capitals, or left out or taken for another.
  static constexpr std::string_view unknown = "nobodyknows";
  auto const said_by = [&](std::string_view who) {
    std::vector<chat_turn> const turns{{"user", "#0#"}, {std::string{who}, "#1#"}};
    return applied(turns, true);
  };
  std::string const without = said_by(unknown);
  auto const is_same_letter = [](char one, char other) { return (one | 0x20) == (other | 0x20); };
  auto const name = std::search(without.begin(), without.end(), unknown.begin(), unknown.end(), is_same_letter);
  return name != without.end() || said_by(role) != without;
}

std::string tokenizer::state::applied(std::span<chat_turn const> turns, bool answer_follows) const {
  std::vector<llama_chat_message> messages;
  std::size_t size = 64;
  for (auto const& turn : turns) {
    messages.push_back({turn.role.c_str(), turn.content.c_str()});
    size += 2 * (turn.role.size() + turn.content.size()) + 64;
  }
  std::string text(size, '\0');
  auto const apply = [&] {
    return llama_chat_apply_template(chat_template.c_str(), messages.data(), messages.size(), answer_follows,
                                     text.data(), static_cast<std::int32_t>(text.size()));
  };
  auto count = apply();
  if (count > static_cast<std::int32_t>(text.size())) {
    text.resize(static_cast<std::size_t>(count));
    count = apply();
  }
  if (count < 0) throw error_at(path.string(), 0, "", "has a chat template that llama.cpp's library does not know");
  text.resize(static_cast<std::size_t>(count));
  return text;
}

tokenizer::tokenizer(std::filesystem::path const& file) : state_{std::make_unique<state>()} {
  auto parameters = llama_model_default_params();
  parameters.vocab_only = true;
  state_->path = file;
  state_->model.reset(
      loaded_by_llama(file, "a vocabulary", [&] { return llama_model_load_from_file(file.c_str(), parameters); }));
  state_->vocabulary = llama_model_get_vocab(state_->model.get());
  if (llama_vocab_type(state_->vocabulary) == LLAMA_VOCAB_TYPE_NONE) {
    throw error_at(file.string(), 0, "", "has no vocabulary");
  }
  if (auto const* const found = llama_model_chat_template(state_->model.get(), nullptr)) state_->chat_template = found;
}

tokenizer::tokenizer(tokenizer&&) noexcept = default;
tokenizer& tokenizer::operator=(tokenizer&&) noexcept = default;
tokenizer::~tokenizer() = default;

std::size_t tokenizer::vocabulary() const { return static_cast<std::size_t>(llama_vocab_n_tokens(state_->vocabulary)); }

std::string const& tokenizer::chat_template() const { return state_->chat_template; }

std::int32_t tokenizer::end_of_answer() const {
  auto const end_of_turn = llama_vocab_eot(state_->vocabulary);
  return end_of_turn >= 0 ? end_of_turn : llama_vocab_eos(state_->vocabulary);
}

std::vector<std::int32_t> tokenizer::tokenize(std::string_view text, bool add_beginning, bool parse_special) const {
  return state_->ids_of(text, add_beginning, parse_special);
}

std::string tokenizer::detokenize(std::span<std::int32_t const> ids, bool special) const {
  for (auto const id : ids) {
    if (id < 0 || static_cast<std::size_t>(id) >= vocabulary()) {
      throw input_error{"a token " + std::to_string(id) + ", expected 0 to " + std::to_string(vocabulary() - 1)};
    }
  }
  return written<std::string>(8 * ids.size() + 8, [&](char* room, std::int32_t size) {
    return llama_detokenize(state_->vocabulary, ids.data(), static_cast<std::int32_t>(ids.size()), room, size, false,
                            special);
  });
}

std::vector<std::int32_t> tokenizer::chat_prompt(std::span<chat_turn const> turns) const {
  state_->check(turns);
  return state_->ids_of_template(state_->applied(turns, true));
}

tokenized_pair tokenizer::chat_pair(std::span<chat_turn const> turns, std::string_view answer) const {
  state_->check(turns);
  state_->check_plain("an answer", answer);
  std::vector<chat_turn> all{turns.begin(), turns.end()};
  all.push_back({"assistant", std::string{answer}});
  auto const prompt = state_->applied(turns, true), whole = state_->applied(all, false);
  if (!whole.starts_with(prompt)) {
    throw error_at(state_->path.string(), 0, "",
                   "has a chat template by which a chat with its answer does not begin as the chat before it");
  }
  auto const before = state_->ids_of_template(prompt);
  tokenized_pair pair{state_->ids_of_template(whole), before.size()};
  if (!begins_with(pair.ids, before)) {
    // Characters on both sides of the border make one token: the answer is told in tokens that follow the prompt's.
    auto const rest = state_->ids_of(std::string_view{whole}.substr(prompt.size()), false, true);
    pair.ids = before;
    pair.ids.insert(pair.ids.end(), rest.begin(), rest.end());
  }
  // What a template puts behind the end of the answer is never said by the model.
  auto const first = pair.ids.begin() + static_cast<std::ptrdiff_t>(pair.boundary);
  auto const end =
      std::find_if(first, pair.ids.end(), [&](std::int32_t id) { return llama_vocab_is_eog(state_->vocabulary, id); });
  if (end != pair.ids.end()) pair.ids.erase(end + 1, pair.ids.end());
  return pair;
}

tokenized_pair tokenizer::plain_pair(std::string_view prompt, std::string_view completion) const {
  tokenized_pair pair{state_->ids_of(prompt, true, false), 0};
  // Every token is told by those before it; the first one of all cannot be.
  if (pair.ids.empty()) pair.ids.push_back(llama_vocab_bos(state_->vocabulary));
  pair.boundary = pair.ids.size();
  auto const rest = state_->ids_of(completion, false, false);
  pair.ids.insert(pair.ids.end(), rest.begin(), rest.end());
  if (auto const end = llama_vocab_eos(state_->vocabulary); end >= 0) pair.ids.push_back(end);
  return pair;
}
