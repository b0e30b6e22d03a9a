#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "oracle/named_loss.hpp"

namespace oracle {

struct list_candidate {
  real logp = 0, reference = 0, length = 1, reward = 0, target = 0;
};
using candidate_list = std::vector<list_candidate>;

/// Which columns a batch has beside logp.
struct list_given {
  bool reference = false, length = false, reward = false, target = false;
};

namespace ways {
constexpr list_given as_logp{}, to_reference{.reference = true}, per_token{.length = true}, by_reward{.reward = true},
    to_target{.target = true}, per_token_by_reward{.length = true, .reward = true};
}

template <class T>
candidate_list rounded_to(candidate_list group);

// What the list losses are given, by their papers.

/// Whether scores are per token and without a reference.
bool is_per_token(std::string_view name);
/// Whether they are per token and against the reference, and told from 0, not only from one another.
bool is_told_from_zero(std::string_view name);
/// Whether the loss brings the scores to a distribution.
bool has_target(std::string_view name);
/// Whether a group is a matrix.
bool is_square(std::string_view name);
/// Whether there is no loss without rewards, and whether equal ones are refused.
bool needs_reward(named_loss const& loss);
bool refuses_ties(named_loss const& loss);

/// The columns that the loss can be given.
std::vector<list_given> ways_of(named_loss const& loss);

std::string describe_list(named_loss const& loss, list_given const& given);

/// Groups of 1 to 9 candidates several times each, of 40 and 64, which fill a lane, and of 65 and more, which are
/// spread over the lanes; squares if asked for. In an order that mixes the sizes. As training meets them and beyond:
/// scores from 1e-3 to 1e3 apart, rewards in any order, all different unless ties are asked for; a target that is a
/// distribution, one-hot, or not normalized.
std::vector<candidate_list> random_lists(random_numbers& random, bool square, bool ties, bool large);

}  // namespace oracle
