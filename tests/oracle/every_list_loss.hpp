#pragma once

#include <concepts>
#include <cstddef>
#include <limits>
#include <string>
#include <tuple>
#include <type_traits>
#include <vector>

#include "oracle/bits.hpp"
#include "oracle/list_oracle.hpp"

// Any list loss over any groups, through the library's front door.

namespace oracle {

/// Each group's own loss and gradient.
template <class T>
struct list_results {
  std::vector<T> loss;
  std::vector<std::vector<T>> d_logp;
};

/// L's results over the groups, their numbers rounded to T. Defined in list_results.hpp, which a program's other files
/// leave out: the kernels of all losses take a while to compile.
template <class T, class L>
list_results<T> list_results_of(L const& loss, std::vector<candidate_list> const& groups, list_given const& given);

template <class T>
candidate_list rounded_to(candidate_list group) {
  for (list_candidate& c : group) {
    for (real* x : {&c.logp, &c.reference, &c.length, &c.reward, &c.target}) *x = static_cast<real>(static_cast<T>(*x));
  }
  return group;
}

/// Whether scores are per token and without a reference.
template <class L>
inline constexpr bool is_per_token = std::same_as<L, prefopt::pro> || std::same_as<L, prefopt::rrhf>;
/// Whether the loss brings the scores to a distribution.
template <class L>
inline constexpr bool has_target = std::same_as<L, prefopt::adpo> || std::same_as<L, prefopt::list_net>;

/// The columns that the loss can be given, by its paper.
template <class L>
std::vector<list_given> ways_of(L const& loss) {
  bool const needs_reward = std::same_as<L, prefopt::adpo_kde> || std::same_as<L, prefopt::rank_dpo> || [&] {
    if constexpr (requires { loss.temperatures; }) return loss.temperatures;
    return false;
  }();
  std::vector<list_given> ways;
  for (bool const reference : {false, true}) {
    for (bool const length : {false, true}) {
      for (bool const reward : {false, true}) {
        if (is_per_token<L> && (reference || !length)) continue;
        if (std::same_as<L, prefopt::sami> && reward) continue;
        if (needs_reward && !reward) continue;
        ways.push_back(
            {.reference = reference, .length = length, .reward = reward, .target = has_target<L> && !reward});
      }
    }
  }
  return ways;
}

template <class L>
bool refuses_ties(L const& loss) {
  if constexpr (requires { loss.break_ties; }) return !loss.break_ties;
  return false;
}

/// Random numbers, and of the yes-or-no parameters what the bits of `choices` say.
template <class L>
void set_list_parameters(L& loss, std::size_t choices, random_numbers& random) {
  if constexpr (requires { L::parameters(); }) {
    auto const set = [&](auto const& p) {
      auto& value = loss.*p.member;
      if constexpr (std::same_as<std::remove_cvref_t<decltype(value)>, bool>) {
        value = (choices & 1) != 0;
        choices >>= 1;
      } else if (p.valid.is_whole) {
        double const counts[] = {0, 1, 2, 3, 6, 50, 1e6};
        value = counts[random.bits() % std::size(counts)];
      } else if (p.valid.high < std::numeric_limits<double>::max()) {
        double const high = p.valid.high_is_in ? p.valid.high : p.valid.low + 0.9 * (p.valid.high - p.valid.low);
        value = random.chance(0.2) ? p.valid.low : random.chance(0.2) ? high : random.uniform(p.valid.low, high);
      } else {
        value = p.valid.low_is_in && random.chance(0.25) ? p.valid.low : random.spread(0.05, 8);
      }
    };
    std::apply([&](auto const&... p) { (set(p), ...); }, L::parameters());
  }
}

/// The loss with its standard parameters, and with `count` random sets, every combination of yes and no among four.
template <class L>
std::vector<L> list_variants_of(std::size_t count, random_numbers& random) {
  std::vector<L> variants(1);
  while (variants.size() <= count) set_list_parameters(variants.emplace_back(), variants.size(), random);
  return variants;
}

template <class L>
std::string describe_list(L const& loss, list_given const& given) {
  std::string text = std::string{L::card.name} + "{";
  if constexpr (requires { L::parameters(); }) {
    std::apply(
        [&](auto const&... p) {
          ((text += std::string{p.name} + "=" + std::to_string(static_cast<double>(loss.*p.member)) + " "), ...);
        },
        L::parameters());
  }
  text += "}";
  if (given.reference) text += " with reference";
  if (given.length) text += " with length";
  if (given.reward) text += " with reward";
  if (given.target) text += " with target";
  return text;
}

/// A group as training meets it and beyond: scores from 1e-3 to 1e3 apart, rewards in any order, all different unless
/// ties are asked for; a target that is a distribution, one-hot, or not normalized.
inline candidate_list random_list(std::size_t size, random_numbers& random, bool ties = false) {
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

/// Groups of 1 to 9 candidates several times each, of 40 and 64, which fill a lane, and of 65 and more, which are
/// spread over the lanes; for sami squares. In an order that mixes the sizes.
template <class L>
std::vector<candidate_list> random_lists(random_numbers& random, bool ties, bool large) {
  bool const square = std::same_as<L, prefopt::sami>;
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
