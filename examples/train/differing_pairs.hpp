#pragma once

#include <array>
#include <cstddef>
#include <prefopt/batch/pairs.hpp>
#include <prefopt/chain/group_pairs.hpp>
#include <span>
#include <vector>

/// The pairs of ranked groups, as group_pairs makes them, but for those whose two responses are the same: of them nothing is
/// better than anything.
class differing_pairs {
 public:
  /// differ(group, one, other): of candidates, by their indices into the columns of the groups.
  template <class Differ>
  differing_pairs(prefopt::list_batch<double> const& groups, prefopt::pairing which, Differ const& differ) {
    prefopt::group_pairs<double> const all{groups, which};
    std::vector<std::size_t> kept;
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (!differ(all.group()[i], all.chosen()[i], all.rejected()[i])) continue;
      kept.push_back(i);
      chosen_.push_back(all.chosen()[i]);
      rejected_.push_back(all.rejected()[i]);
      group_.push_back(all.group()[i]);
    }
    same_ = all.size() - kept.size();
    auto const columns = all.batch();
    for (std::size_t c = 0; c < values_.size(); ++c) {
      auto const& column = columns.*(members[c]);
      is_given_[c] = column.is_given();
      if (!is_given_[c]) continue;
      for (std::size_t const i : kept) values_[c].push_back(column[i]);
    }
  }

  std::size_t size() const { return chosen_.size(); }
  /// How many pairs were left out.
  std::size_t same() const { return same_; }

  /// Indices of candidates into the columns of the groups, and each pair's group.
  std::span<std::size_t const> chosen() const { return chosen_; }
  std::span<std::size_t const> rejected() const { return rejected_; }
  std::span<std::size_t const> group() const { return group_; }

  /// Views of this object's columns.
  prefopt::pair_batch<double> batch() const {
    prefopt::pair_batch<double> batch;
    for (std::size_t c = 0; c < values_.size(); ++c) {
      if (is_given_[c]) batch.*(members[c]) = values_[c];
    }
    return batch;
  }

  /// Adds the pairs' gradients to the candidates'.
  void scatter(std::span<double const> d_chosen, std::span<double const> d_rejected, std::span<double> d_logp) const {
    for (std::size_t i = 0; i < size(); ++i) {
      d_logp[chosen_[i]] += d_chosen[i];
      d_logp[rejected_[i]] += d_rejected[i];
    }
  }

 private:
  using batch_of_pairs = prefopt::pair_batch<double>;
  /// Those that come of groups.
  static constexpr std::array members{&batch_of_pairs::chosen,        &batch_of_pairs::rejected,
                                      &batch_of_pairs::ref_chosen,    &batch_of_pairs::ref_rejected,
                                      &batch_of_pairs::chosen_length, &batch_of_pairs::rejected_length,
                                      &batch_of_pairs::weight};

  std::vector<std::size_t> chosen_, rejected_, group_;
  std::array<std::vector<double>, members.size()> values_;
  std::array<bool, members.size()> is_given_{};
  std::size_t same_ = 0;
};
