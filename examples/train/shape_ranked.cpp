#include <cmath>
#include <numeric>
#include <utility>

#include "number_text.hpp"
#include "preference_shape.hpp"

namespace {

constexpr std::string_view ranked_fields[] = {"prompt", "responses", "rewards", "target"};

bool is_ranked(record_fields const& record) {
  return record.has("responses") || (record.has("rewards") && !record.has_any({"chosen", "rejected"}));
}

std::string_view read_ranked(record_fields const& record, preference_reading& reading, preference& ranked) {
  record.refuse({"chosen", "rejected"},
                "stands beside responses, expected one or the other: a pair or ranked responses");
  auto texts = record.texts("responses");
  std::size_t const count = texts.size();
  if (count < 2) record.fail("responses", "got " + std::to_string(count) + ", expected 2 or more");
  begin_ranked(reading, ranked, record.numbers("rewards", -largest_number, largest_number, "a number", count));
  if (record.has("target")) {
    ranked.target = record.numbers("target", 0, 1, "a number from 0 to 1", count);
    reading.set.has_target = true;
    double const sum = std::accumulate(ranked.target.begin(), ranked.target.end(), 0.0);
    double const rounding = 0.005 * static_cast<double>(count) + 1e-9;  // of probabilities with two decimals
    if (!(std::abs(sum - 1) <= rounding)) {
      record.fail("target", "sums to " + number_text(sum) + ", expected probabilities, which sum to 1");
    }
  }
  std::optional<dialogue> prompt;
  if (record.has("prompt")) prompt = dialogue_reader{record, reading.out}.read("prompt");
  std::vector<dialogue> responses{std::make_move_iterator(texts.begin()), std::make_move_iterator(texts.end())};
  set_texts(ranked, std::move(prompt), std::move(responses), reading.options, reading.out);
  return "ranked answers with rewards";
}

}  // namespace

void begin_ranked(preference_reading& reading, preference& ranked, std::vector<double> rewards) {
  ranked.rewards = std::move(rewards);
  reading.set.has_ranked = true;
}

preference_shape const ranked_shape{is_ranked, read_ranked, ranked_fields};
