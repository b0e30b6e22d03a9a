#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "preference_shape.hpp"

namespace {

constexpr std::string_view pair_fields[] = {"prompt", "chosen", "rejected", "margin", "label"};
constexpr std::string_view scored_spare[] = {"prompt_id", "messages"};

/// What the scores of chosen and rejected are called.
constexpr std::pair<std::string_view, std::string_view> score_names[] = {{"score_chosen", "score_rejected"},
                                                                         {"chosen_score", "rejected_score"},
                                                                         {"chosen_rating", "rejected_rating"},
                                                                         {"chosen-rating", "rejected-rating"}};

bool is_pair(record_fields const& record) { return record.has_any({"chosen", "rejected"}); }

bool has_scores(record_fields const& record) {
  for (auto const& [chosen, rejected] : score_names) {
    if (record.has(chosen) && record.has(rejected)) return is_pair(record);
  }
  return false;
}

void read_scores(record_fields const& record, preference_reading& reading, preference& pair) {
  for (auto const& [chosen_name, rejected_name] : score_names) {
    double chosen = 0, rejected = 0;
    if (!record.has(chosen_name) ||
        !record.number(rejected_name, -largest_number, largest_number, "a number", rejected))
      continue;
    record.number(chosen_name, -largest_number, largest_number, "a number", chosen);
    reading.has_scores = reading.set.has_scores = true;
    reading.has_equal_scores = chosen == rejected;
    if (chosen < rejected) ++reading.worse_scored;
    double const difference = chosen - rejected;
    if (reading.options.scores == score_use::none) return;
    bool const is_margin = reading.options.scores == score_use::margin;
    record.refuse({is_margin ? "margin" : "label"},
                  "stands beside scores, and --scores asks for it to be made of them");
    if (!std::isfinite(difference)) record.fail(chosen_name, "is too far from " + std::string{rejected_name});
    if (is_margin) {
      pair.margin = difference;
      reading.set.has_margin = true;
    } else {
      pair.label = 1 / (1 + std::exp(-difference));
      reading.set.has_label = true;
    }
    return;
  }
  if (reading.options.scores != score_use::none) {
    record.fail(score_names[0].first, "is missing, and --scores needs it and score_rejected in every pair");
  }
}

std::string_view read_pair(record_fields const& record, preference_reading& reading, preference& pair) {
  begin_pair(record, reading, pair);
  dialogue_reader const reader{record, reading.out};
  std::vector<dialogue> responses{reader.read("chosen"), reader.read("rejected")};
  std::optional<dialogue> prompt;
  if (record.has("prompt")) prompt = reader.read("prompt");
  bool const has_messages = responses[0].index() + responses[1].index() + (prompt ? prompt->index() : 0) != 0;
  set_texts(pair, std::move(prompt), std::move(responses), reading.options, reading.out);
  if (has_scores(record)) return "pairs of UltraFeedback-binarized";
  if (record.has("prompt")) return has_messages ? "pairs, conversational (TRL)" : "pairs (TRL)";
  return has_messages ? "pairs, conversational, implicit prompts (TRL)" : "pairs, implicit prompts (TRL)";
}

}  // namespace

bool is_score(std::string_view field) {
  return std::ranges::any_of(score_names,
                             [&](auto const& names) { return field == names.first || field == names.second; });
}

void begin_pair(record_fields const& record, preference_reading& reading, preference& pair) {
  auto& set = reading.set;
  pair.is_pair = true;
  pair.rewards = {1, 0};
  set.has_pairs = true;
  set.has_margin |= record.number("margin", -largest_number, largest_number, "a number", pair.margin);
  set.has_label |= record.number("label", 0, 1, "a number from 0 to 1", pair.label);
  for (std::size_t c = 0; c < further_columns; ++c) {
    auto const& column = prefopt::pair_family::inputs<double>[first_further + c];
    bool const is_any = column.range == prefopt::value_range::any;
    set.has_further[c] |= record.number(column.name, is_any ? -largest_number : 0, largest_number,
                                        is_any ? "a number" : "a number >= 0", pair.further[c]);
  }
  read_scores(record, reading, pair);
}

preference_shape const pair_shape{is_pair, read_pair, pair_fields};
preference_shape const ultrafeedback_shape{has_scores, read_pair, pair_fields, scored_spare};
