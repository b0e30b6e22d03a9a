#include "batch_advantages.hpp"

#include <numeric>
#include <prefopt/token/advantages.hpp>
#include <prefopt/token/discounted_advantages.hpp>
#include <prefopt/token/whiten.hpp>

namespace {

/// Of whole samples, each token of one alike.
std::vector<double> advantages_of_samples(step_rewards const& rewards, prefopt::advantage_mode mode) {
  std::size_t const samples = rewards.offsets.size() - 1;
  std::vector<double> reward(samples), length(mode == prefopt::advantage_mode::length_weighted ? samples : 0),
      advantage(samples), of_tokens;
  for (std::size_t s = 0; s < samples; ++s) {
    auto const begin = rewards.token_reward.begin() + rewards.offsets[s],
               end = rewards.token_reward.begin() + rewards.offsets[s + 1];
    reward[s] = std::accumulate(begin, end, 0.0);
    if (!length.empty()) length[s] = static_cast<double>(end - begin);
  }
  std::vector<std::int64_t> groups;
  for (std::size_t s = 0; s <= samples; s += rewards.samples) groups.push_back(static_cast<std::int64_t>(s));
  prefopt::column<double> const lengths =
      length.empty() ? prefopt::column<double>{} : prefopt::column<double>{length.data(), length.size()};
  prefopt::advantages(prefopt::column<double>{reward.data(), samples}, groups, advantage, {.mode = mode}, lengths);
  for (std::size_t s = 0; s < samples; ++s) {
    of_tokens.insert(of_tokens.end(), static_cast<std::size_t>(rewards.offsets[s + 1] - rewards.offsets[s]),
                     advantage[s]);
  }
  return of_tokens;
}

}  // namespace

step_advantages advantages_of(step_rewards const& rewards, preset const& of) {
  constexpr double lambda = 0.95;
  step_advantages made;
  std::size_t const tokens = rewards.token_reward.size();
  if (of.has_critic) {
    made.advantage.resize(tokens);
    prefopt::discounted_advantages(prefopt::column<double>{rewards.token_reward.data(), tokens}, rewards.value, {},
                                   rewards.offsets, made.advantage, {.lambda = lambda});
    for (std::size_t i = 0; i < tokens; ++i) made.gain.push_back(made.advantage[i] + rewards.value[i]);
  } else {
    made.advantage = advantages_of_samples(rewards, of.advantages);
  }
  if (of.whitens) {
    prefopt::whiten(prefopt::column<double>{made.advantage.data(), tokens}, {}, made.advantage);
  }
  return made;
}
