#include <algorithm>
#include <string>
#include <utility>

#include "json_text.hpp"
#include "name_text.hpp"
#include "preference_shape.hpp"

// Answers each of which has a rank, where the lowest is the best: Nectar's and NeMo RL's.

namespace {

using nlohmann::json;

constexpr std::string_view nectar_fields[] = {"prompt", "answers"}, nemo_fields[] = {"context", "completions"};
constexpr std::string_view nectar_spare[] = {"turns", "num_responses", "source", "good_natured"},
                           nemo_spare[] = {"task_name"};

struct ranked_answers {
  std::string_view list, answer;
};

/// The reward of an answer is how many ranks it is above the last.
std::vector<dialogue> read_answers(record_fields const& record, preference_reading& reading, preference& ranked,
                                   ranked_answers const& names) {
  dialogue_reader const reader{record, reading.out};
  std::string const list{names.list};
  std::vector<dialogue> answers;
  std::vector<double> ranks;
  for (json const& one : record.array(names.list, "an array of answers with ranks")) {
    std::size_t const index = ranks.size();
    if (!one.is_object()) record.fail_at(names.list, index, kind_of(one), "an object with an answer and its rank");
    auto const answer = one.find(names.answer), rank = one.find("rank");
    if (answer == one.end() || answer->is_null()) record.fail_at(names.list, index, "none", names.answer);
    if (rank == one.end() || !rank->is_number()) {
      record.fail_at(names.list, index, rank == one.end() ? "no rank" : kind_of(*rank), "a rank, a number");
    }
    answers.push_back(reader.read(list + "." + std::string{names.answer}, *answer));
    ranks.push_back(rank->get<double>());
    for (auto const& [name, value] : one.items()) {
      if (name != names.answer && name != "rank" && !value.is_null()) reading.out.add(name_text(name) + " of answers");
    }
  }
  if (ranks.size() < 2) record.fail(names.list, "got " + std::to_string(ranks.size()) + ", expected 2 or more");
  double const last = std::ranges::max(ranks);
  for (auto& rank : ranks) {
    rank = last - rank;
    if (!(rank <= largest_number)) record.fail(names.list, "has ranks too far from each other");
  }
  begin_ranked(reading, ranked, std::move(ranks));
  return answers;
}

bool is_nectar(record_fields const& record) { return record.has("answers"); }

std::string_view read_nectar(record_fields const& record, preference_reading& reading, preference& ranked) {
  auto answers = read_answers(record, reading, ranked, {"answers", "answer"});
  std::optional<dialogue> prompt;
  if (record.has("prompt")) prompt = dialogue_reader{record, reading.out}.read("prompt");
  set_texts(ranked, std::move(prompt), std::move(answers), reading.options, reading.out);
  return "ranked answers of Nectar";
}

bool is_nemo(record_fields const& record) { return record.has("completions"); }

std::string_view read_nemo(record_fields const& record, preference_reading& reading, preference& ranked) {
  auto answers = read_answers(record, reading, ranked, {"completions", "completion"});
  std::optional<dialogue> prompt = dialogue_reader{record, reading.out}.read("context");
  set_texts(ranked, std::move(prompt), std::move(answers), reading.options, reading.out);
  return "ranked completions of NeMo RL";
}

}  // namespace

preference_shape const nectar_shape{is_nectar, read_nectar, nectar_fields, nectar_spare};
preference_shape const nemo_shape{is_nemo, read_nemo, nemo_fields, nemo_spare};
