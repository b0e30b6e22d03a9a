#include "candidate_list.hpp"

#include <algorithm>

candidate_list::candidate_list(preference_set const& data) {
  for (auto const& record : data.records) {
    for (auto const& response : record.responses) candidates_.push_back({record.prompt, response});
    best_.push_back(offsets_.back() + (std::ranges::max_element(record.rewards) - record.rewards.begin()));
    offsets_.push_back(static_cast<std::int64_t>(candidates_.size()));
  }
}

void candidate_list::of(std::span<std::size_t const> records, std::vector<std::size_t>& indices) const {
  indices.clear();
  for (std::size_t const record : records) {
    auto const end = static_cast<std::size_t>(offsets_[record + 1]);
    for (auto i = static_cast<std::size_t>(offsets_[record]); i < end; ++i) indices.push_back(i);
  }
}
