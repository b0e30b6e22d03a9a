#include "token_data.hpp"

#include <array>
#include <iterator>
#include <map>
#include <utility>

#include "comparable_records.hpp"
#include "input_error.hpp"
#include "record_tokens.hpp"

namespace {

struct sequence_comparison {
  std::vector<tokenized_pair> const& sequences;
  bool is_same(std::size_t one, std::size_t other) const {
    return sequences[one].ids == sequences[other].ids && sequences[one].boundary == sequences[other].boundary;
  }
};

/// Of records, how many were left out or changed for what reason.
struct reasons {
  std::size_t seen = 0;  ///< until there were enough
  std::size_t same_text = 0, same_tokens = 0, further_turn = 0, further_message = 0, other_role = 0, too_long = 0,
              cut = 0;
  std::map<std::string, std::size_t> named;  ///< messages of used records by roles other than the usual ones
};

void count_named(std::vector<message> const& messages, std::map<std::string, std::size_t>& named) {
  for (auto const& [role, text] : messages) {
    if (!is_usual_role(role)) ++named[role];
  }
}

std::string note_on_named(std::map<std::string, std::size_t> const& named) {
  constexpr std::size_t most = 10;
  std::string text;
  std::size_t told = 0;
  for (auto const& [role, count] : named) {
    text += (told == 0 ? "" : ", ") + (told == most ? "and others" : role + " (" + std::to_string(count) + ")");
    if (told++ == most) break;
  }
  return "note: the chat template writes messages of other roles than system, user and assistant by their names: " +
         text;
}

/// The records that can be used, in their place, and their sequences.
reasons select(preference_set& data, std::vector<tokenized_pair>& sequences, std::string const& path,
               tokenizer const& by, token_options const& options) {
  reasons why;
  std::vector<preference> kept;
  auto const take = [&](preference& record) {
    switch (options.as_chat ? fault_of_responses(record) : response_fault::none) {
      case response_fault::none:
        break;
      case response_fault::further_turn:
        return ++why.further_turn;
      case response_fault::further_message:
        return ++why.further_message;
      case response_fault::other_role:
        return ++why.other_role;
    }
    std::vector<tokenized_pair> own;
    try {
      own = record_tokens(record, by, options.as_chat);
    } catch (input_error const& error) {
      throw error_at(path, record.line, "", error.what());
    }
    bool const is_cut = options.truncate && cut_to(own, options.most);
    for (auto const& sequence : own) {
      if (sequence.ids.size() > options.most) return ++why.too_long;
    }
    auto const same = compared_responses(record, 0, sequence_comparison{own});
    if (same != same_responses::no) return ++(same == same_responses::texts ? why.same_text : why.same_tokens);
    sequences.insert(sequences.end(), std::move_iterator{own.begin()}, std::move_iterator{own.end()});
    count_named(record.messages.prompt, why.named);
    record.messages = {};  // their tokens are there
    kept.push_back(std::move(record));
    return why.cut += is_cut ? 1 : 0;
  };
  for (auto& record : data.records) {
    if (options.limit != 0 && kept.size() == options.limit) break;
    ++why.seen;
    take(record);
  }
  data.records = std::move(kept);
  return why;
}

}  // namespace

token_data::token_data(preference_set data, std::string const& path, tokenizer const& by, token_options const& options)
    : data_{std::move(data)}, candidates_{preference_set{}}, most_{options.most} {
  reasons const why = select(data_, sequences_, path, by, options);
  std::size_t const all = why.seen;
  std::string const most = std::to_string(options.most), noun = data_.noun();
  auto const note = [&](std::size_t count, std::string const& what) {
    if (count != 0)
      notes_.push_back("note: " + std::to_string(count) + " of " + std::to_string(all) + " " + noun + what);
  };
  note(why.same_text, " are left out: their responses are the same text");
  note(why.same_tokens, " are left out: their responses are the same tokens");
  note(why.further_turn, " are left out: an answer goes on with what the user says next");
  note(why.further_message, " are left out: an answer is more than one message");
  note(why.other_role, " are left out: an answer is not the assistant's");
  note(why.too_long, " are left out: longer than --max-tokens " + most + " tokens; --truncate cuts them");
  note(why.cut, " are cut to --max-tokens " + most + " tokens");
  if (data_.records.empty()) {
    std::string reasons;
    for (auto const& own : notes_) reasons += (reasons.empty() ? ": " : "; ") + own.substr(own.find(" of ") + 4);
    throw error_at(path, 0, "", "none of its " + std::to_string(all) + " " + noun + " can be used" + reasons);
  }
  if (!why.named.empty()) notes_.push_back(note_on_named(why.named));
  candidates_ = candidate_list{data_};
}

tokenized_pair token_data::under_other_prompt(std::size_t answer, std::size_t prompt) const {
  auto const& [answer_ids, answer_boundary] = sequences_[answer];
  auto const& [prompt_ids, prompt_boundary] = sequences_[prompt];
  std::vector<tokenized_pair> one(1);
  auto& [ids, boundary] = one.front();
  ids.assign(prompt_ids.begin(), prompt_ids.begin() + static_cast<std::ptrdiff_t>(prompt_boundary));
  ids.insert(ids.end(), answer_ids.begin() + static_cast<std::ptrdiff_t>(answer_boundary), answer_ids.end());
  boundary = prompt_boundary;
  cut_to(one, most_);
  return std::move(one.front());
}

prefopt::data_checksum token_data::checksum(std::string const& model) const {
  prefopt::data_checksum all;
  all.add(model);
  for (auto const& [ids, boundary] : sequences_) all.add(ids).add(std::array{boundary});
  return all;
}
