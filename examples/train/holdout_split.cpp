#include "holdout_split.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <string>
#include <string_view>
#include <utility>

#include "input_error.hpp"
#include "number_text.hpp"
#include "seeded_generator.hpp"

namespace {

/// What records go together by: their prompt, or all their texts in any order.
using group_key = std::vector<std::string_view>;

group_key texts_of(preference const& record) {
  group_key texts{record.responses.begin(), record.responses.end()};
  std::ranges::sort(texts);
  texts.push_back(record.prompt);
  return texts;
}

group_key prompt_or_texts_of(preference const& record) {
  return record.has_prompt && !record.prompt.empty() ? group_key{record.prompt} : texts_of(record);
}

/// "384 records", and how many prompts that is where it is another number.
std::string counted(std::size_t records, std::size_t prompts, std::string const& noun) {
  return std::to_string(records) + " " + noun +
         (prompts == records ? "" : " of " + std::to_string(prompts) + (prompts == 1 ? " prompt" : " prompts"));
}

}  // namespace

holdout_split::holdout_split(preference_set const& data, std::vector<std::size_t> const& records, double holdout,
                             std::uint64_t seed) {
  auto const records_of = group(data, records);
  auto random = seeded_generator(seed, 0, 0);
  auto const part = static_cast<std::size_t>(std::llround(holdout * static_cast<double>(prompts_)));
  split(records_of, random, sharing_ == 0 ? part : std::clamp<std::size_t>(part, 1, prompts_ - 1));
  if (held_out_.empty() || training_.empty()) {
    throw input_error{"--holdout: " + number_text(holdout) + " of " + counted(records.size(), prompts_, data.noun()) +
                      " leaves " + std::to_string(training_.size()) + " for training and " +
                      std::to_string(held_out_.size()) + " held out, expected at least one each"};
  }
}

holdout_split::holdout_split(preference_set const& data, std::mt19937_64& random) {
  std::vector<std::size_t> all(data.records.size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  auto const records_of = group(data, all);
  split(records_of, random, std::max<std::size_t>(prompts_ / 5, 1));
}

std::vector<std::vector<std::size_t>> holdout_split::group(preference_set const& data,
                                                           std::vector<std::size_t> const& records) {
  prompt_of_.resize(data.records.size());
  std::vector<std::vector<std::size_t>> records_of;
  auto const group_by = [&](auto const& key_of) {
    records_of.clear();
    std::map<decltype(key_of(records.front())), std::size_t> known;
    for (std::size_t const record : records) {
      std::size_t const prompt = known.try_emplace(key_of(record), records_of.size()).first->second;
      if (prompt == records_of.size()) records_of.emplace_back();
      records_of[prompt].push_back(record);
      prompt_of_[record] = prompt;
    }
    return records_of.size() == 1 && records.size() > 1;
  };
  has_one_prompt_ = group_by([&](std::size_t record) { return prompt_or_texts_of(data.records[record]); });
  if (has_one_prompt_ && group_by([&](std::size_t record) { return texts_of(data.records[record]); })) {
    group_by([](std::size_t record) { return record; });
  }
  prompts_ = records_of.size();
  for (auto const& own : records_of) sharing_ += own.size() > 1 ? own.size() : 0;
  return records_of;
}

void holdout_split::split(std::vector<std::vector<std::size_t>> const& records_of, std::mt19937_64& random,
                          std::size_t held_out) {
  std::vector<std::size_t> order(prompts_);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::shuffle(order, random);
  for (std::size_t i = 0; i < prompts_; ++i) {
    auto& part = i < held_out ? held_out_ : training_;
    part.insert(part.end(), records_of[order[i]].begin(), records_of[order[i]].end());
  }
}

std::vector<std::string> holdout_split::notes(preference_set const& data) const {
  std::string const all = std::to_string(training_.size() + held_out_.size());
  if (has_one_prompt_) {
    return {"note: all " + all + " " + data.noun() +
            " have one prompt, so that some of its own are held out: what the accuracy says is of that prompt alone" +
            (sharing_ == 0 ? "" : "; those with the same texts go together and count as one prompt")};
  }
  if (sharing_ == 0) return {};
  return {"note: " + std::to_string(sharing_) + " of " + all + " " + data.noun() +
          " share their prompt with others, or without one their texts: those of one prompt are all held out or all "
          "trained on"};
}

std::vector<double> holdout_split::sizes(std::span<std::size_t const> records) const {
  std::vector<double> sizes(prompts_);
  for (std::size_t const record : records) ++sizes[prompt_of_[record]];
  std::erase(sizes, 0);
  return sizes;
}

std::size_t holdout_split::prompts_of(std::span<std::size_t const> records) const { return sizes(records).size(); }

double holdout_split::independent_records(std::span<std::size_t const> records) const {
  auto const of_prompt = sizes(records);
  double const sum = std::accumulate(of_prompt.begin(), of_prompt.end(), 0.0);
  double const squares = std::inner_product(of_prompt.begin(), of_prompt.end(), of_prompt.begin(), 0.0);
  return squares == 0 ? 0 : sum * sum / squares;
}
