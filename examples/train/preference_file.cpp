#include "preference_file.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <map>
#include <new>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "checksum.hpp"
#include "csv_cells.hpp"
#include "input_error.hpp"
#include "json_text.hpp"
#include "memory_limit.hpp"
#include "preference_shape.hpp"
#include "record_fields.hpp"
#include "record_file.hpp"
#include "unknown_fields.hpp"

namespace {

/// The first that fits is taken.
constexpr std::array shapes{&openai_shape,     &nectar_shape, &nemo_shape,          &alpaca_shape, &sharegpt_shape,
                            &completion_shape, &ranked_shape, &ultrafeedback_shape, &pair_shape};

/// A CSV file has one of these.
constexpr std::string_view columns[] = {"chosen",  "rejected", "completion",       "responses",
                                        "answers", "kto_tag",  "preferred_output", "completions"};

/// Gives each annotator a number in the order of appearance.
class annotator_index {
 public:
  std::size_t of(std::optional<std::string> const& name, std::vector<std::string>& names) {
    auto const [place, is_new] = numbers_.try_emplace(name, names.size());
    if (is_new) names.push_back(name.value_or("(no name)"));
    return place->second;
  }

 private:
  std::map<std::optional<std::string>, std::size_t> numbers_;
};

std::optional<std::string> annotator_name(record_fields const& record) {
  auto const* const value = record.find("annotator");
  if (value == nullptr) return std::nullopt;
  if (value->is_string()) return value->get<std::string>();
  if (value->is_number_integer()) return value->dump();
  if (value->is_number_float()) {  // 3.0 is 3: so pandas writes a column that has gaps
    constexpr double exact = 9007199254740992;
    auto const number = value->get<double>();
    if (std::trunc(number) == number && std::abs(number) <= exact) {
      return std::to_string(static_cast<std::int64_t>(number));
    }
  }
  record.fail("annotator", *value, "a string or a whole number");
}

preference_shape const& shape_of(record_fields const& record) {
  auto const found = std::ranges::find_if(shapes, [&](auto const* shape) { return shape->fits(record); });
  if (found == shapes.end()) {
    record.fail(
        "",
        "has neither chosen and rejected nor responses and rewards nor completion and label, nor is it of another "
        "known shape, see examples/train/README.md");
  }
  return **found;
}

bool is_tie(preference const& record, bool has_equal_scores) {
  if (record.is_completion) return false;
  if (record.is_pair) return has_equal_scores || record.label == 0.5;
  std::vector<double> sorted = record.rewards;
  std::ranges::sort(sorted);
  return std::ranges::adjacent_find(sorted) != sorted.end();
}

/// What the record takes, with its place in a vector that grows by doubling.
std::uint64_t bytes_of(preference const& record) {
  constexpr std::uint64_t block = 32;  // of an allocation beside what it holds
  std::uint64_t bytes = 2 * sizeof(preference) + record.prompt.capacity() + block;
  for (auto const& response : record.responses) bytes += sizeof response + response.capacity() + block;
  auto const add = [&](std::vector<message> const& messages) {
    if (messages.empty()) return;
    bytes += sizeof messages + messages.capacity() * sizeof(message) + block;
    for (auto const& [role, text] : messages) bytes += role.capacity() + text.capacity() + block;
  };
  add(record.messages.prompt);
  for (auto const& response : record.messages.responses) add(response);
  return bytes + 2 * block + sizeof(double) * (record.rewards.capacity() + record.target.capacity());
}

class preference_file {
 public:
  preference_file(std::string const& path, reading_options const& options)
      : options_{options}, file_{path, columns, options.limits} {}

  preference_set read() {
    try {
      data_record record;
      while (file_.next(record)) {
        if (file_.is_csv()) read_cells(record, file_.file());
        add({file_.file(), record.line, record.fields});
      }
      if (set_.records.empty()) throw error_at(file_.file(), 0, "", "has no records, expected at least one");
      finish();
    } catch (std::bad_alloc const&) {
      std::size_t const count = set_.records.size();
      set_ = {};
      throw out_of_memory(count, "memory ran out");
    }
    return std::move(set_);
  }

 private:
  void add(record_fields const& record) {
    preference next;
    next.line = record.line();
    reading_.has_scores = reading_.has_equal_scores = false;
    preference_shape const& shape = shape_of(record);
    count(shape.read(record, reading_, next));
    set_.has_weight |= record.number("weight", 0, largest_number, "a number >= 0", next.weight);
    set_.has_annotator |= record.has("annotator");
    next.annotator = annotators_.of(annotator_name(record), set_.annotators);
    unknown_.note(record, shape, next, reading_);
    if (is_tie(next, reading_.has_equal_scores)) ++ties_;
    bytes_ += bytes_of(next);
    if (bytes_ > memory_) throw out_of_memory(set_.records.size(), "memory would run out");
    set_.records.push_back(std::move(next));
  }

  void count(std::string_view name) {
    auto const found = std::ranges::find(names_, name, &std::pair<std::string_view, std::size_t>::first);
    if (found == names_.end()) {
      names_.emplace_back(name, 1);
    } else {
      ++found->second;
    }
  }

  void finish() {
    if (options_.scores != score_use::none && !set_.has_scores) {
      throw error_at(file_.file(), 0, "score_chosen", "is in no record, and --scores needs it and score_rejected");
    }
    set_.checksum = file_.checksum();
    // What else decides what the texts and numbers are.
    if (options_.format != chat_template::plain || options_.scores != score_use::none) {
      std::string const text{static_cast<char>(options_.format), static_cast<char>(options_.scores)};
      set_.checksum = checksum_of(std::to_string(set_.checksum) + text);
    }
    std::unordered_set<std::string_view> prompts;
    for (auto const& record : set_.records) prompts.insert(record.prompt);

    std::string what;
    for (auto const& [name, number] : names_) {
      what.append(what.empty() ? "" : " and ").append(std::to_string(number)).append(" ").append(name);
    }
    auto const counted = [](std::size_t number, std::string const& noun) {
      return std::to_string(number) + " " + noun + (number == 1 ? "" : "s");
    };
    set_.notes.push_back("read " + counted(set_.records.size(), "record") + " from " + file_.file() + " (" +
                         file_.form() + "): " + what + "; " + counted(prompts.size(), "prompt") + "; " +
                         counted(ties_, "tie") + "; left out: " + out_.text());
    if (file_.halves() != 0) set_.notes.push_back(note_on_halves(file_.halves()));
    if (reading_.worse_scored != 0) {
      set_.notes.push_back("note: the chosen response has the lower score in " +
                           counted(reading_.worse_scored, "pair"));
    }
    if (set_.has_scores && options_.scores == score_use::none) {
      set_.notes.push_back(
          "note: the scores of chosen and rejected are left alone, --scores margin or --scores label takes them");
    }
    if (!unknown_.text().empty()) {
      set_.notes.push_back("note: prefopt_train does not know these fields: " + unknown_.text());
    }
  }

  input_error out_of_memory(std::size_t records, std::string const& what) const {
    return error_at(
        file_.file(), file_.line(), "",
        what + " after " + std::to_string(records) + " records, expected a file that fits, such as its first part");
  }

  reading_options const& options_;
  record_file file_;
  preference_set set_;
  left_out out_;
  preference_reading reading_{options_, set_, out_};
  annotator_index annotators_;
  unknown_fields unknown_;
  std::vector<std::pair<std::string_view, std::size_t>> names_;
  std::size_t ties_ = 0;
  std::uint64_t bytes_ = 0, memory_ = memory_limit() / 4 * 3;  ///< the rest is for the policy
};

}  // namespace

preference_set read_preferences(std::string const& path, reading_options const& options) {
  return preference_file{path, options}.read();
}
