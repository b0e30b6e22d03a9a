#pragma once

#include <algorithm>
#include <cstddef>
#include <prefopt/core/all_reduce.hpp>
#include <prefopt/core/errors.hpp>
#include <ranges>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace prefopt::inline PREFOPT_ABI {

/// Which of several reward heads each user's preferences are learnt by: MaxMin-RLHF's EM with hard assignments.
///     accumulate  adds a head's log-likelihoods of pairs, -loss of bradley_terry, to its users' sums
///     update      E-step: each user goes to the head with the highest sum, of equal ones the lowest; clears the
///                 sums. A user without pairs since the last update stays where they are; at first all are with head 0
///     fill        M-step: the `weight` column of a head's own loss, 1 for the pairs of its users and 0 for the others.
///                 Gives back how many are 1: with none, the loss has gradient 0 and the head keeps its weights
/// Every head has to see the same pairs between two updates. The sums of several ranks add up: `update(all_reduce)`.
/// With all heads equal at first, all users go to head 0 for good: begin with heads or `assign`ments that differ.
///     source    Chakraborty et al. 2024, arXiv:2402.08925
class hard_mixture {
 public:
  /// Throws std::invalid_argument unless both are at least 1.
  hard_mixture(std::size_t users, std::size_t heads) : heads_{heads}, assigned_(users, 0) {
    if (users == 0) fail("users is 0, expected at least 1");
    if (heads == 0) fail("heads is 0, expected at least 1");
    sums_.resize(users * (heads + 1));
  }

  [[nodiscard]] std::size_t users() const noexcept { return assigned_.size(); }
  [[nodiscard]] std::size_t heads() const noexcept { return heads_; }
  /// Each user's head: what is to be saved.
  [[nodiscard]] std::span<std::size_t const> assigned() const noexcept { return assigned_; }

  /// Continues from saved heads, one a user.
  void assign(std::span<std::size_t const> heads) {
    if (heads.size() != users()) {
      fail("assign: " + detail::text(heads.size()) + " heads, expected " + detail::text(users()));
    }
    for (std::size_t const head : heads) check_head(head);
    std::copy(heads.begin(), heads.end(), assigned_.begin());
  }

  /// `loss` is each pair's own, of the head, without weights: the output `loss` of bradley_terry. Both are contiguous
  /// ranges of one size: integer ids below the number of users, and float or double.
  template <std::ranges::contiguous_range Ids, std::ranges::contiguous_range Losses>
  void accumulate(std::size_t head, Ids const& user_ids, Losses const& loss) {
    check_head(head);
    std::span const ids{user_ids};
    std::span const values{loss};
    check(user_ids, values.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (values[i] == values[i]) continue;
      fail("accumulate: loss[" + detail::text(i) + "] is nan, expected a number");
    }
    for (std::size_t i = 0; i < values.size(); ++i) {
      auto const user = static_cast<std::size_t>(ids[i]);
      sums_[user * (heads_ + 1) + head] -= static_cast<double>(values[i]);
      sums_[user * (heads_ + 1) + heads_] += 1;
    }
  }

  /// Of each user: the sums of the heads' log-likelihoods, and the number of values in them.
  [[nodiscard]] std::span<double> sums() noexcept { return sums_; }

  void update() noexcept {
    for (std::size_t user = 0; user < users(); ++user) {
      auto const own = std::span{sums_}.subspan(user * (heads_ + 1), heads_ + 1);
      if (own[heads_] > 0) {
        assigned_[user] = static_cast<std::size_t>(std::max_element(own.begin(), own.end() - 1) - own.begin());
      }
      std::fill(own.begin(), own.end(), 0.0);
    }
  }

  /// The same with the pairs of all ranks. Every rank gets the same.
  template <sum_all_reduce F>
  void update(F&& all_reduce) {
    all_reduce(sums());
    update();
  }

  template <std::ranges::contiguous_range Ids, std::ranges::contiguous_range Column>
  std::size_t fill(std::size_t head, Ids const& user_ids, Column&& weight) const {
    using T = std::ranges::range_value_t<Column>;
    check_head(head);
    std::span const ids{user_ids};
    std::span<T> const column{weight};
    check(user_ids, column.size());
    std::size_t count = 0;
    for (std::size_t i = 0; i < column.size(); ++i) {
      bool const is_own = assigned_[static_cast<std::size_t>(ids[i])] == head;
      column[i] = is_own ? T(1) : T(0);
      count += is_own ? 1 : 0;
    }
    return count;
  }

 private:
  [[noreturn]] static void fail(std::string const& what) { detail::fail("hard_mixture", what); }

  void check_head(std::size_t head) const {
    if (head < heads_) return;
    fail("head " + detail::text(head) + ", expected one below " + detail::text(heads_));
  }

  template <class Ids>
  void check(Ids const& ids, std::size_t expected) const {
    std::span const all{ids};
    if (all.size() != expected) {
      fail(detail::text(all.size()) + " user ids for " + detail::text(expected) + " pairs");
    }
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (std::cmp_less(all[i], 0) || std::cmp_greater_equal(all[i], users())) {
        fail("user id " + std::to_string(all[i]) + " of pair " + detail::text(i) + ", expected one below " +
             detail::text(users()));
      }
    }
  }

  std::size_t heads_;
  std::vector<std::size_t> assigned_;
  std::vector<double> sums_;
};

/// The head that the policy is to be trained by in this step: the one with the lowest mean reward over the batch (and
/// over all ranks), of equal ones the first. max over policies of min over heads.
/// Throws std::invalid_argument for no head, and for a NaN.
inline std::size_t head_of_lowest_reward(std::span<double const> mean_rewards) {
  constexpr char const* where = "head_of_lowest_reward";
  if (mean_rewards.empty()) detail::fail(where, "there is no head, expected at least 1");
  for (std::size_t k = 0; k < mean_rewards.size(); ++k) {
    if (mean_rewards[k] == mean_rewards[k]) continue;
    detail::fail(where, "the mean reward of head " + detail::text(k) + " is nan, expected a number");
  }
  return static_cast<std::size_t>(std::min_element(mean_rewards.begin(), mean_rewards.end()) - mean_rewards.begin());
}

}  // namespace prefopt::inline PREFOPT_ABI
