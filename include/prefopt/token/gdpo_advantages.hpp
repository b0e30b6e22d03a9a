#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <prefopt/core/errors.hpp>
#include <prefopt/core/ranks.hpp>
#include <prefopt/token/advantages.hpp>
#include <prefopt/token/moments.hpp>
#include <prefopt/view/column.hpp>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace prefopt::inline PREFOPT_ABI {

/// How rewards of several kinds become one advantage.
struct gdpo {
  double group_epsilon = 1e-4, batch_epsilon = 1e-4;  ///< finite, >= 0; of TRL, swift has 1e-8 for both
  /// A reward that is NaN or infinite; skip: that one is in no mean and no std, and adds nothing. A sample without any
  /// other is not in the batch's mean and std, and gets 0.
  on_invalid non_finite = on_invalid::error;
  prefopt::all_reduce all_reduce{};  ///< of the batch's mean and std
};

namespace detail {

template <class T>
void find_gdpo_advantages(std::span<column<T> const> rewards, std::span<double const> weights,
                          column<std::int64_t> const& group_offsets, output<T> const& advantage, gdpo const& how) {
  constexpr std::string_view where = "gdpo_advantages";
  if (rewards.empty()) fail(where, "there are no rewards");
  if (weights.size() != rewards.size() && !weights.empty()) {
    fail(where, {"weights has ", elements(weights.size()), ", there are ", text(rewards.size()), " rewards"});
  }
  for (std::size_t k = 0; k < weights.size(); ++k) {
    if (!std::isfinite(weights[k]))
      fail(where, {"weights[", text(k), "] is ", text(weights[k]), ", expected a finite number"});
  }
  for (auto const& [name, epsilon] :
       {std::pair{"group_epsilon", how.group_epsilon}, std::pair{"batch_epsilon", how.batch_epsilon}}) {
    if (!(epsilon >= 0 && std::isfinite(epsilon)))
      fail(where, {name, " is ", text(epsilon), ", expected a finite number >= 0"});
  }
  std::size_t const n = advantage.size();
  advantage_options const in_groups{
      .mode = advantage_mode::group_std, .epsilon = how.group_epsilon, .non_finite = how.non_finite};
  column<T> const none;
  for (std::size_t k = 0; k < rewards.size(); ++k) {
    std::string const name = "rewards[" + text(k) + "]";
    if (rewards[k].size() != n) {
      fail(where, {name, " has ", elements(rewards[k].size()), ", output advantage has ", text(n)});
    }
    check_advantages<T>(where, name, {rewards[k], none, none}, group_offsets, in_groups);
  }
  std::vector<double> sums(n);
  for (std::size_t k = 0; k < rewards.size(); ++k) {
    auto const normalized = find_advantages<T>(where, {rewards[k], none, none}, group_offsets, in_groups);
    for (std::size_t i = 0; i < n; ++i) sums[i] += (weights.empty() ? 1 : weights[k]) * normalized[i];
  }
  std::vector<bool> counts(n);
  for (std::size_t i = 0; i < n; ++i) {
    counts[i] = std::any_of(rewards.begin(), rewards.end(), [&](auto const& kind) { return std::isfinite(kind[i]); });
  }
  moments all;
  for (std::size_t i = 0; i < n; ++i) {
    if (counts[i]) all.add(sums[i]);
  }
  all = over_ranks(all, how.all_reduce, where);
  double const scale = all.deviation(1) + how.batch_epsilon;
  for (std::size_t i = 0; i < n; ++i) {
    put(advantage, i, counts[i] ? quotient_or_zero(sums[i] - all.mean, scale) : 0);
  }
}

}  // namespace detail

/// GDPO: advantages from rewards of several kinds, each a column of one value a sample, so that one of a wide range does
/// not drown the others.
///     B_i = sum over the rewards of weight (R_i - mean) / (std + group_epsilon), of the sample's group, std by K - 1
///     A_i = (B_i - mean) / (std + batch_epsilon), of the batch, std by n - 1
///     weights    one a reward; none: all 1
///     special    one kind alone is group_std, normalized once more; equal rewards give 0
///     computed   in double; in place, too
///     throws     as `advantages`, before anything is written
///     source     TRL's normalize_then_sum, swift's and verl's gdpo; verl whitens over tokens instead: see `whiten`
template <class T>
void gdpo_advantages(std::span<column<T> const> rewards, std::span<double const> weights,
                     column<std::int64_t> const& group_offsets, std::type_identity_t<output<T>> const& advantage,
                     gdpo const& how = {}) {
  detail::with_ranks(how, [&](gdpo const& given) {
    detail::find_gdpo_advantages<T>(rewards, weights, group_offsets, advantage, given);
  });
}

}  // namespace prefopt::inline PREFOPT_ABI
