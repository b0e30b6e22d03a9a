#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <prefopt/contract/token_surrogate.hpp>
#include <random>
#include <utility>
#include <vector>

namespace prefopt::inline PREFOPT_ABI::detail {

/// Marks the tokens that a surrogate treats apart: a share, at least one, of the n counted tokens, by their covariance of
/// advantage and log-prob. read(i) gives a token's {counts, log_prob, advantage, log_ratio}.
struct read_token {
  bool counts;
  double log_prob, advantage, log_ratio;
};
template <class Read>
std::vector<unsigned char> select_tokens(void const* surrogate, surrogate_facts const& facts, std::size_t size,
                                         Read const& read) {
  std::vector<unsigned char> selected(size);
  double counted = 0, advantages = 0, log_probs = 0;
  for (std::size_t i = 0; i < size; ++i) {
    if (auto const token = read(i); token.counts) {
      counted += 1;
      advantages += token.advantage;
      log_probs += token.log_prob;
    }
  }
  if (counted == 0) return selected;
  std::vector<std::pair<double, std::size_t>> candidates;
  for (std::size_t i = 0; i < size; ++i) {
    auto const token = read(i);
    if (!token.counts) continue;
    double const covariance = (token.advantage - advantages / counted) * (token.log_prob - log_probs / counted);
    if (std::isnan(covariance)) continue;
    if (facts.may_select(surrogate, covariance, token.advantage, token.log_ratio))
      candidates.emplace_back(-covariance, i);
  }
  auto const wanted = static_cast<std::size_t>(std::max(1.0, std::floor(facts.share * counted)));
  std::size_t const count = std::min(wanted, candidates.size());
  if (static_cast<token_selection>(facts.selection) == token_selection::largest_covariance) {
    std::partial_sort(candidates.begin(), candidates.begin() + static_cast<std::ptrdiff_t>(count), candidates.end());
  } else {
    // The first `count` places of a shuffle.
    std::mt19937_64 random{static_cast<std::uint64_t>(counted)};
    for (std::size_t i = 0; i < count; ++i) {
      std::swap(candidates[i], candidates[i + static_cast<std::size_t>(random() % (candidates.size() - i))]);
    }
  }
  for (std::size_t i = 0; i < count; ++i) selected[candidates[i].second] = 1;
  return selected;
}

}  // namespace prefopt::inline PREFOPT_ABI::detail
