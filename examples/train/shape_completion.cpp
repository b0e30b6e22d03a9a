#include <utility>

#include "preference_shape.hpp"

namespace {

constexpr std::string_view completion_fields[] = {"prompt", "completion", "label"};

bool is_completion(record_fields const& record) { return record.has("completion"); }

std::string_view read_completion(record_fields const& record, preference_reading& reading, preference& alone) {
  record.refuse({"chosen", "rejected", "responses", "rewards"},
                "stands beside completion, expected one or the other: a completion alone, a pair or ranked responses");
  dialogue_reader const reader{record, reading.out};
  std::vector<dialogue> completion{reader.read("completion")};
  begin_completion(reading, alone, record.truth("label"));
  std::optional<dialogue> prompt;
  if (record.has("prompt")) prompt = reader.read("prompt");
  bool const has_messages = completion[0].index() + (prompt ? prompt->index() : 0) != 0;
  set_texts(alone, std::move(prompt), std::move(completion), reading.options, reading.out);
  return has_messages ? "single completions, conversational (TRL)" : "single completions (TRL)";
}

}  // namespace

void begin_completion(preference_reading& reading, preference& alone, double label) {
  alone.is_completion = true;
  alone.rewards = {label};
  reading.set.has_completions = true;
}

preference_shape const completion_shape{is_completion, read_completion, completion_fields};
