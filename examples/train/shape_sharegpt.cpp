#include <string>
#include <utility>

#include "preference_shape.hpp"

namespace {

constexpr std::string_view sharegpt_fields[] = {"conversations", "messages", "chosen", "rejected",
                                                "kto_tag",       "label",    "margin", "system"};
constexpr std::string_view sharegpt_spare[] = {"tools", "images", "videos", "audios"};

bool is_sharegpt(record_fields const& record) {
  if (record.has("conversations")) return record.has_any({"chosen", "rejected", "kto_tag", "label"});
  return record.has("messages") &&
         (record.has("kto_tag") ||
          (record.has("label") && !record.has_any({"prompt", "chosen", "rejected", "completion", "responses"})));
}

std::string_view read_sharegpt(record_fields const& record, preference_reading& reading, preference& result) {
  std::string_view const field = record.has("conversations") ? "conversations" : "messages";
  dialogue_reader const reader{record, reading.out};
  auto said = reader.messages(field, record.array(field, "an array of messages"));
  if (record.has("system") && !record.text("system").empty()) {
    said.insert(said.begin(), message{"system", record.text("system")});
  }
  std::vector<dialogue> responses;
  if (record.has_any({"chosen", "rejected"})) {
    record.refuse({"kto_tag"},
                  "stands beside chosen and rejected, expected one or the other: a pair or a dialogue alone");
    begin_pair(record, reading, result);
    responses = {reader.read("chosen"), reader.read("rejected")};
  } else {
    if (said.empty() || said.back().role != "assistant") {
      record.fail(field, "does not end with the assistant, whose last message is what is good or bad");
    }
    begin_completion(reading, result, record.truth(record.has("kto_tag") ? "kto_tag" : "label"));
    responses = {std::vector<message>{said.back()}};
    said.pop_back();
  }
  set_texts(result, std::move(said), std::move(responses), reading.options, reading.out);
  return result.is_completion ? "single completions of LLaMA-Factory's sharegpt form (KTO)"
                              : "pairs of LLaMA-Factory's sharegpt form";
}

}  // namespace

preference_shape const sharegpt_shape{is_sharegpt, read_sharegpt, sharegpt_fields, sharegpt_spare};
