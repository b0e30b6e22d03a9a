#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "above_mean.hpp"
#include "any_loss.hpp"
#include "candidate_list.hpp"
#include "preference.hpp"

/// How a record that says that some response is better than another has no two that differ: not at all, in its texts, or
/// in what the policy reads of them.
enum class same_responses { no, texts, to_policy };

/// `first` is the index of its first candidate.
template <class Policy>
same_responses compared_responses(preference const& record, std::size_t first, Policy const& policy) {
  auto const has_order = [](std::vector<double> const& values) {
    return std::ranges::adjacent_find(values, std::ranges::not_equal_to{}) != values.end();
  };
  bool same_texts = has_order(record.rewards) || has_order(record.target), same = same_texts;
  for (std::size_t i = 1; i < record.responses.size() && same; ++i) {
    same_texts = same_texts && record.responses[i] == record.responses[0];
    same = same_texts || policy.is_same(first, first + i);
  }
  if (!same) return same_responses::no;
  return same_texts ? same_responses::texts : same_responses::to_policy;
}

/// The records of which something can be learnt. One that says that some response is better than another, though all its
/// responses are the same, is none of them; nor, to a loss of good and bad completions, are ranked responses of which none
/// is above the mean.
struct comparable_records {
  std::vector<std::size_t> kept;
  std::size_t same_text = 0;       ///< left out: all responses have the same text
  std::size_t same_to_policy = 0;  ///< left out: the texts differ, but not in what the policy reads of them
  std::size_t equal_rewards = 0;   ///< left out: no response is good or bad

  template <class Policy>
  comparable_records(preference_set const& data, candidate_list const& candidates, Policy const& policy,
                     any_loss const& loss) {
    bool const takes_good_and_bad =
        std::holds_alternative<prefopt::any_unpaired_loss>(loss) && reads(loss, prefopt::columns::label);
    auto const has_good = [](preference const& record) {
      return std::ranges::count(above_mean(record.rewards), true) != 0;
    };
    for (std::size_t index = 0; index < data.records.size(); ++index) {
      if (takes_good_and_bad && !data.records[index].is_completion && !has_good(data.records[index])) {
        ++equal_rewards;
        continue;
      }
      auto const first = static_cast<std::size_t>(candidates.offsets()[index]);
      switch (compared_responses(data.records[index], first, policy)) {
        case same_responses::no:
          kept.push_back(index);
          break;
        case same_responses::texts:
          ++same_text;
          break;
        case same_responses::to_policy:
          ++same_to_policy;
          break;
      }
    }
  }

  std::size_t left_out() const { return same_text + same_to_policy + equal_rewards; }
};
