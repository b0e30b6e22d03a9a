// Preferences of every shape that a trainer reads.
#include <cmath>
#include <cstdint>
#include <string>

#include "in_memory_file.hpp"
#include "input_error.hpp"
#include "preference_file.hpp"

namespace {

/// What a trainer relies on.
void check(preference_set const& set) {
  promise(!set.records.empty() && !set.annotators.empty(), "a file without a record is taken");
  for (preference const& record : set.records) {
    promise(record.is_completion ? record.responses.size() == 1 : record.responses.size() >= 2,
            "a record has as many responses as its kind has");
    promise(record.rewards.size() == record.responses.size(), "a record has a reward for each response");
    promise(record.target.empty() || record.target.size() == record.responses.size(),
            "a record has a target for each response");
    promise(!(record.weight < 0) && std::isfinite(record.weight), "a weight is a number >= 0");
    promise(record.label >= 0 && record.label <= 1, "a label is a probability");
    promise(record.annotator < set.annotators.size(), "an annotator is one of the set's");
    promise(std::isfinite(record.margin), "a margin is finite");
    for (double const reward : record.rewards) promise(std::isfinite(reward), "a reward is finite");
    for (double const share : record.target) promise(share >= 0 && std::isfinite(share), "a target is a number >= 0");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  static in_memory_file file;
  if (size == 0) return 0;
  std::string_view const text{reinterpret_cast<char const*>(data) + 1, size - 1};
  reading_options options;
  options.format = static_cast<chat_template>((data[0] & 15) % 3);
  options.scores = static_cast<score_use>((data[0] >> 4) % 3);
  options.limits.line = std::size_t{1} << 20;
  options.limits.text = std::uint64_t{1} << 22;
  try {
    check(read_preferences(file.with(text), options));
  } catch (input_error const&) {
  }
  return 0;
}
