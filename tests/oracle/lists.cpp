#include "oracle/lists.hpp"

#include <cmath>
#include <utility>

namespace oracle {
namespace {

candidate_list random_list(std::size_t size, random_numbers& random, bool ties) {
  candidate_list group(size);
  double const scale = random.spread(1e-3, 1e3), longest = random.spread(1, 400), reward_scale = random.spread(0.1, 5);
  bool const has_references = random.chance(0.7), is_sparse = random.chance(0.3), is_scaled = random.chance(0.2);
  double const level = random.chance(0.5) ? 0 : -random.spread(1, 1e3);
  real total = 0;
  for (std::size_t i = 0; i < size; ++i) {
    list_candidate& c = group[i];
    c.length = 1 + std::floor(random.uniform(0, longest));
    c.reference = has_references ? -random.spread(1e-2, 1e3) : 0;
    c.logp = c.reference + level + scale * random.normal();
    // Per token, the log-probs themselves have to be close at times.
    if (random.chance(0.5)) c.logp = (level + scale * random.normal() / 10) * c.length / longest;
    c.reward = reward_scale * random.normal();
    if (ties) c.reward = std::floor(c.reward);
    c.target = is_sparse && random.chance(0.5) ? 0 : random.uniform();
    total += c.target;
  }
  if (total == 0) group[0].target = total = 1;
  if (random.chance(0.2)) {
    for (list_candidate& c : group) c.target = 0;
    group[random.bits() % size].target = total = 1;
  }
  for (list_candidate& c : group) c.target /= is_scaled ? total / 3 : total;
  return group;
}

}  // namespace

template <class T>
candidate_list rounded_to(candidate_list group) {
  for (list_candidate& c : group) {
    for (real* x : {&c.logp, &c.reference, &c.length, &c.reward, &c.target}) *x = static_cast<real>(static_cast<T>(*x));
  }
  return group;
}

template candidate_list rounded_to<float>(candidate_list);
template candidate_list rounded_to<double>(candidate_list);

bool is_per_token(std::string_view name) { return name == "pro" || name == "rrhf"; }

bool is_told_from_zero(std::string_view name) { return name == "real"; }

bool has_target(std::string_view name) { return name == "adpo" || name == "list_net"; }

bool is_square(std::string_view name) { return name == "sami"; }

bool needs_reward(named_loss const& loss) {
  return loss.name == "adpo_kde" || loss.name == "rank_dpo" || is_told_from_zero(loss.name) ||
         (loss.name == "pro" && value_of(loss, "temperatures") != 0);
}

bool refuses_ties(named_loss const& loss) {
  return (loss.name == "plackett_luce" || loss.name == "list_mle") && value_of(loss, "break_ties") == 0;
}

std::vector<list_given> ways_of(named_loss const& loss) {
  std::vector<list_given> ways;
  for (bool const reference : {false, true}) {
    for (bool const length : {false, true}) {
      for (bool const reward : {false, true}) {
        if (is_per_token(loss.name) && (reference || !length)) continue;
        if (is_told_from_zero(loss.name) && !(reference && length)) continue;
        if (is_square(loss.name) && reward) continue;
        if (needs_reward(loss) && !reward) continue;
        ways.push_back(
            {.reference = reference, .length = length, .reward = reward, .target = has_target(loss.name) && !reward});
      }
    }
  }
  return ways;
}

std::string describe_list(named_loss const& loss, list_given const& given) {
  std::string text = describe(loss);
  if (given.reference) text += " with reference";
  if (given.length) text += " with length";
  if (given.reward) text += " with reward";
  if (given.target) text += " with target";
  return text;
}

std::vector<candidate_list> random_lists(random_numbers& random, bool square, bool ties, bool large) {
  std::vector<std::size_t> sizes;
  for (int i = 0; i < 11; ++i) {
    for (std::size_t k = 1; k <= 9; ++k) {
      if (!square || k == 1 || k == 4 || k == 9) sizes.push_back(k);
    }
  }
  sizes.push_back(square ? 16 : 40);
  sizes.push_back(64);
  sizes.push_back(square ? 81 : 65);
  sizes.push_back(100);
  sizes.push_back(square ? 16 : 40);
  if (large && !square) sizes.push_back(257);
  std::vector<candidate_list> groups;
  for (std::size_t const size : sizes) groups.push_back(random_list(size, random, ties));
  for (std::size_t i = groups.size(); i > 1; --i) std::swap(groups[i - 1], groups[random.bits() % i]);
  return groups;
}

}  // namespace oracle
