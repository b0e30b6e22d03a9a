#include <string>
#include <utility>

#include "name_text.hpp"
#include "preference_shape.hpp"

namespace {

constexpr std::string_view openai_fields[] = {"input", "preferred_output", "non_preferred_output", "margin", "label"};

bool is_openai(record_fields const& record) { return record.has_any({"preferred_output", "non_preferred_output"}); }

std::string_view read_openai(record_fields const& record, preference_reading& reading, preference& pair) {
  begin_pair(record, reading, pair);
  constexpr std::string_view expected = "an object with messages";
  auto const& input = record.required("input", expected);
  if (!input.is_object()) record.fail("input", input, expected);
  dialogue_reader const reader{record, reading.out};
  std::optional<dialogue> prompt;
  for (auto const& [name, value] : input.items()) {
    if (name == "messages") {
      prompt = reader.messages("input.messages", value);
    } else if (!value.is_null() && !value.empty()) {
      reading.out.add("input." + name_text(name));
    }
  }
  if (!prompt) record.fail("input", "has no messages, expected an array of them");
  std::vector<dialogue> responses{
      reader.messages("preferred_output", record.required("preferred_output", "messages")),
      reader.messages("non_preferred_output", record.required("non_preferred_output", "messages"))};
  set_texts(pair, std::move(prompt), std::move(responses), reading.options, reading.out);
  return "pairs of OpenAI's preference format";
}

}  // namespace

preference_shape const openai_shape{is_openai, read_openai, openai_fields};
