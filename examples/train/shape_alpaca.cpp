#include <string>
#include <utility>

#include "json_text.hpp"
#include "preference_shape.hpp"

namespace {

constexpr std::string_view alpaca_fields[] = {"instruction", "input",  "output",  "chosen", "rejected",
                                              "kto_tag",     "system", "history", "margin", "label"};

bool is_alpaca(record_fields const& record) {
  return record.has("instruction") && record.has_any({"chosen", "rejected", "output", "kto_tag"});
}

/// system, the turns of history, and instruction with input.
std::vector<message> read_prompt(record_fields const& record) {
  std::vector<message> prompt;
  auto const optional_text = [&](std::string_view field) {
    return record.has(field) ? record.text(field) : std::string{};
  };
  if (auto system = optional_text("system"); !system.empty()) prompt.push_back({"system", std::move(system)});
  constexpr std::string_view turn = "a turn, an array of two strings: what was asked and answered";
  if (record.has("history")) {
    std::size_t index = 0;
    for (auto const& said : record.array("history", "an array of turns")) {
      if (!said.is_array() || said.size() != 2 || !said[0].is_string() || !said[1].is_string()) {
        record.fail_at("history", index, said.is_array() ? "other things" : kind_of(said), turn);
      }
      prompt.push_back({"user", said[0].get<std::string>()});
      prompt.push_back({"assistant", said[1].get<std::string>()});
      ++index;
    }
  }
  std::string asked = record.text("instruction");
  if (auto const input = optional_text("input"); !input.empty()) asked += (asked.empty() ? "" : "\n") + input;
  prompt.push_back({"user", std::move(asked)});
  return prompt;
}

std::string_view read_alpaca(record_fields const& record, preference_reading& reading, preference& result) {
  std::optional<dialogue> prompt{read_prompt(record)};
  std::vector<dialogue> responses;
  bool const is_pair = record.has_any({"chosen", "rejected"});
  if (is_pair) {
    record.refuse({"kto_tag"},
                  "stands beside chosen and rejected, expected one or the other: a pair or an output alone");
    begin_pair(record, reading, result);
    responses = {record.text("chosen"), record.text("rejected")};
  } else if (record.has("kto_tag")) {
    begin_completion(reading, result, record.truth("kto_tag"));
    responses = {record.text("output")};
  } else {
    // The older way to write a pair.
    begin_pair(record, reading, result);
    constexpr std::string_view expected = "the better and the worse output, or kto_tag beside a single one";
    auto const texts =
        record.array("output", expected).size() == 2 ? record.texts("output") : std::vector<std::string>{};
    if (texts.empty()) record.fail("output", std::string{"got an array of another size, expected "}.append(expected));
    responses = {texts[0], texts[1]};
  }
  set_texts(result, std::move(prompt), std::move(responses), reading.options, reading.out);
  return result.is_completion ? "single completions of LLaMA-Factory's alpaca form (KTO)"
                              : "pairs of LLaMA-Factory's alpaca form";
}

}  // namespace

preference_shape const alpaca_shape{is_alpaca, read_alpaca, alpaca_fields};
