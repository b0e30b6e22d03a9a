#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <prefopt/batch/groups.hpp>
#include <prefopt/batch/pairs.hpp>
#include <prefopt/engine/list_order.hpp>
#include <prefopt/view/offsets.hpp>
#include <span>
#include <string>
#include <vector>

namespace prefopt::inline PREFOPT_ABI {

/// Which pairs are made of a group, its candidates ranked by reward (or best first without rewards). Candidates of
/// equal reward are never a pair.
enum class pairing {
  every,              ///< every candidate against every worse one: K (K - 1) / 2 pairs
  adjacent,           ///< every candidate against the next in rank: K - 1
  best_versus_rest,   ///< the best against every other: K - 1
  best_versus_worst,  ///< one
};

/// The pairs of ranked groups, for pair losses: indices of candidates, and their columns gathered; texts stay where
/// they are. The columns are copies, made at construction; `weight` is the group's at each of its pairs.
template <class T>
class group_pairs {
 public:
  /// With `beta_reward`, a label column: the soft preference sigma((reward_chosen - reward_rejected) / beta_reward).
  /// Throws std::invalid_argument where `offsets` fall or do not span logp, for columns of other sizes, a NaN reward,
  /// and for beta_reward <= 0 or without rewards.
  group_pairs(list_batch<T> const& groups, pairing which, std::optional<double> beta_reward = {}) {
    check(groups, beta_reward);
    std::vector<T> rewards;
    std::vector<std::uint32_t> order;
    for (std::size_t group = 0; group + 1 < groups.offsets.size(); ++group) {
      auto const begin = static_cast<std::size_t>(groups.offsets[group]);
      std::size_t const size = static_cast<std::size_t>(groups.offsets[group + 1]) - begin;
      check_weights(groups, group, begin, size);
      rewards.resize(size);
      order.resize(size);
      for (std::size_t i = 0; i < size; ++i) {
        rewards[i] = groups.reward.empty() ? -static_cast<T>(i) : groups.reward[begin + i];
      }
      detail::order_by(rewards.data(), size, order.data());
      auto const add = [&](std::size_t i, std::size_t j) {
        if (!(rewards[order[i]] > rewards[order[j]])) return;
        chosen_index_.push_back(begin + order[i]);
        rejected_index_.push_back(begin + order[j]);
        group_.push_back(group);
      };
      if (size == 0) continue;
      if (which == pairing::best_versus_worst) add(0, size - 1);
      for (std::size_t i = 0; i + 1 < size && which != pairing::best_versus_worst; ++i) {
        std::size_t const end = which == pairing::adjacent ? i + 2 : size;
        for (std::size_t j = i + 1; j < end; ++j) add(i, j);
        if (which == pairing::best_versus_rest) break;
      }
    }
    gather(groups.logp, chosen_, rejected_);
    gather(groups.ref_logp, ref_chosen_, ref_rejected_);
    gather(groups.length, chosen_length_, rejected_length_);
    for (std::size_t i = 0; i < size() && !groups.weight.empty(); ++i) {
      weight_.push_back(groups.weight.size() == groups.offsets.size() - 1 ? groups.weight[group_[i]]
                                                                          : groups.weight[chosen_index_[i]]);
    }
    for (std::size_t i = 0; i < size() && beta_reward; ++i) {
      double const gap =
          static_cast<double>(groups.reward[chosen_index_[i]]) - static_cast<double>(groups.reward[rejected_index_[i]]);
      label_.push_back(static_cast<T>(1 / (1 + std::exp(-gap / *beta_reward))));
    }
  }

  [[nodiscard]] std::size_t size() const noexcept { return chosen_index_.size(); }
  /// Indices of candidates into the columns of the groups, and each pair's group.
  [[nodiscard]] std::span<std::size_t const> chosen() const noexcept { return chosen_index_; }
  [[nodiscard]] std::span<std::size_t const> rejected() const noexcept { return rejected_index_; }
  [[nodiscard]] std::span<std::size_t const> group() const noexcept { return group_; }

  /// Views of this object's columns; leave out by hand what a loss does not read.
  [[nodiscard]] pair_batch<T> batch() const noexcept {
    return {.chosen = chosen_,
            .rejected = rejected_,
            .ref_chosen = detail::column_if(has_reference_, ref_chosen_),
            .ref_rejected = detail::column_if(has_reference_, ref_rejected_),
            .chosen_length = detail::column_if(has_length_, chosen_length_),
            .rejected_length = detail::column_if(has_length_, rejected_length_),
            .weight = detail::column_if(has_weight_, weight_),
            .label = detail::column_if(has_label_, label_)};
  }

  /// Adds the pairs' gradients to the candidates': d_logp has a value a candidate, as the groups' logp.
  void scatter(std::span<T const> d_chosen, std::span<T const> d_rejected, std::span<T> d_logp) const {
    auto const expect = [](char const* name, std::size_t got, std::size_t expected) {
      if (got == expected) return;
      detail::fail("group_pairs::scatter",
                   std::string{name} + " has " + detail::elements(got) + ", expected " + detail::text(expected));
    };
    expect("d_chosen", d_chosen.size(), size());
    expect("d_rejected", d_rejected.size(), size());
    expect("d_logp", d_logp.size(), candidates_);
    for (std::size_t i = 0; i < size(); ++i) {
      d_logp[chosen_index_[i]] += d_chosen[i];
      d_logp[rejected_index_[i]] += d_rejected[i];
    }
  }

 private:
  void check(list_batch<T> const& groups, std::optional<double> beta_reward) {
    candidates_ = groups.logp.size();
    has_reference_ = groups.ref_logp.is_given();
    has_length_ = groups.length.is_given();
    has_weight_ = groups.weight.is_given();
    has_label_ = beta_reward.has_value();
    detail::check_offsets("group_pairs", groups.offsets, candidates_);
    auto const expect = [&](char const* name, column<T> const& values) {
      if (!values.is_given() || values.size() == candidates_) return;
      detail::fail("group_pairs", std::string{name} + " has " + detail::elements(values.size()) + ", logp has " +
                                      detail::text(candidates_));
    };
    expect("ref_logp", groups.ref_logp);
    expect("length", groups.length);
    expect("reward", groups.reward);
    if (groups.weight.size() != groups.offsets.size() - 1) expect("weight", groups.weight);
    if (!groups.target.empty()) detail::fail("group_pairs", "does not read the column target, which is given");
    for (std::size_t i = 0; i < groups.reward.size(); ++i) {
      if (groups.reward[i] == groups.reward[i]) continue;
      detail::fail("group_pairs", "reward[" + detail::text(i) + "] is nan, expected a number");
    }
    if (beta_reward && !(*beta_reward > 0)) {
      detail::fail("group_pairs", "beta_reward is " + detail::text(*beta_reward) + ", expected a number > 0");
    }
    if (beta_reward && groups.reward.empty() && candidates_ != 0) {
      detail::fail("group_pairs", "beta_reward needs the column reward, which is not given");
    }
  }

  static void check_weights(list_batch<T> const& groups, std::size_t group, std::size_t begin, std::size_t size) {
    if (groups.weight.empty() || groups.weight.size() == groups.offsets.size() - 1) return;
    for (std::size_t i = begin; i < begin + size; ++i) {
      T const got = groups.weight[i], first = groups.weight[begin];
      if (got == first || (got != got && first != first)) continue;
      detail::fail("group_pairs", "weight[" + detail::text(i) + "] is " + detail::text(static_cast<double>(got)) +
                                      ", expected " + detail::text(static_cast<double>(first)) +
                                      " as at the first candidate of group " + detail::text(group));
    }
  }

  void gather(column<T> const& values, std::vector<T>& chosen, std::vector<T>& rejected) const {
    if (values.empty()) return;
    for (std::size_t const i : chosen_index_) chosen.push_back(values[i]);
    for (std::size_t const i : rejected_index_) rejected.push_back(values[i]);
  }

  std::size_t candidates_ = 0;
  bool has_reference_ = false, has_length_ = false, has_weight_ = false, has_label_ = false;
  std::vector<std::size_t> chosen_index_, rejected_index_, group_;
  std::vector<T> chosen_, rejected_, ref_chosen_, ref_rejected_, chosen_length_, rejected_length_, weight_, label_;
};

}  // namespace prefopt::inline PREFOPT_ABI
