#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <prefopt/prefopt.hpp>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "any_loss.hpp"
#include "differing_pairs.hpp"
#include "preference.hpp"
#include "ranks.hpp"

/// What a run minimizes: a list loss of the records, each a group of candidates; a pair loss of the pairs that are made of
/// those groups; or an unpaired loss of every candidate by itself, whose label is what the record says: of a pair chosen
/// is good and rejected bad, of ranked ones those above the mean reward are good. Keeps its buffers between batches.
class objective {
 public:
  /// Keeps a reference to the data.
  objective(any_loss loss, prefopt::pairing pairing, preference_set const& data, ranks const& all);

  any_loss const& loss() const { return loss_; }
  bool is_of_lists() const { return std::holds_alternative<prefopt::any_list_loss>(loss_); }
  bool is_unpaired() const { return std::holds_alternative<prefopt::any_unpaired_loss>(loss_); }
  bool reads_reference() const { return reads(loss_, prefopt::columns::reference); }
  /// A list loss that can do with or without gets no lengths.
  bool reads_length() const { return needs(loss_, prefopt::columns::length); }
  /// Completions under the prompts of others, of which KTO makes its reference point.
  bool reads_others() const { return is_unpaired() && reads(loss_, prefopt::columns::kl); }

  /// Whether each record's gradient is that of the record by itself, once the batch's denominator is known and, of a loss
  /// that reads the completions of others, their reference point.
  bool is_separable() const;

  /// What the gradient of a batch of these records is divided by.
  double denominator(std::span<std::size_t const> records);

  /// Makes no pairs of ranked responses that are the same, though their rewards differ. is_same(record, one, other) says
  /// of two responses of a record whether they are; unless this is called, those with the same text.
  template <class IsSame>
  void leave_out_same(IsSame const& is_same);
  /// How many pairs of these records are left out therefore.
  std::size_t count_same_pairs(std::span<std::size_t const> records);

  /// What the accuracy is a share of: the pairs of these records of which one is better; of an unpaired loss that reads
  /// labels the completions, which are right on their side of a reward of 0.
  std::size_t count_pairs(std::span<std::size_t const> records);
  /// "pairs" or "completions".
  char const* counted() const { return is_unpaired() && !is_judged_by_order() ? "completions" : "pairs"; }
  /// What the loss learns from: pairs, or completions.
  std::size_t count_examples(std::span<std::size_t const> records);

  /// Of a pair: whether the loss reads its label, and that makes rejected the better one. At 1/2 neither is.
  bool favours_rejected(std::size_t record) const;

  struct evaluation {
    /// Its loss is the sum over the counted pairs or groups, divided by their number. Where the loss reads labels, a
    /// pair is right if the side that its label favours has the higher reward, and its margin is that side's; at 1/2
    /// it is half right, without a margin. An unpaired loss without labels is judged by how it ranks the answers of a
    /// record, of which every two with different rewards are a pair.
    prefopt::report report;
    std::size_t pairs;  ///< that its accuracy is a share of
  };

  /// `records` are this rank's share of a batch, and the evaluation is of the whole batch: every rank calls. `scores`
  /// has, for every candidate of the records, logp and what is read of ref_logp and length. Divides by the number of
  /// pairs or groups and not by the sum of weights, so that a weight means the same in every batch. `others` has the
  /// columns of completions under the prompts of others, where the loss reads them and there are such.
  /// A `denominator` of more than 0 is that of a batch of which these records are a part.
  evaluation evaluate(std::span<std::size_t const> records, prefopt::list_batch<double> scores,
                      prefopt::unpaired_batch<double> const& others = {}, double denominator = 0);

  /// The gradient of the last loss by each candidate's log-prob.
  std::span<double const> d_logp() const { return d_logp_; }

  /// For losses that learn how reliable each annotator is: takes up what the last evaluation says of it, on all ranks.
  void learn_reliability();
  /// Of each annotator; empty if the loss does not learn it.
  std::span<double const> reliability() const;
  void set_reliability(std::span<double const> values);

 private:
  void gather(std::span<std::size_t const> records);
  std::size_t count_gathered_pairs(std::span<std::size_t const> records) const;
  /// Of groups as gathered.
  differing_pairs pairs_of(std::span<std::size_t const> records, prefopt::list_batch<double> const& groups) const;
  prefopt::options options(double own_denominator) const;
  /// Of all ranks.
  double total(std::size_t of_rank) const;
  evaluation evaluate(prefopt::any_list_loss const& loss, std::span<std::size_t const> records,
                      prefopt::list_batch<double> groups);
  evaluation evaluate(prefopt::any_pair_loss const& loss, std::span<std::size_t const> records,
                      prefopt::list_batch<double> groups);
  evaluation evaluate(prefopt::any_unpaired_loss const& loss, std::span<std::size_t const> records,
                      prefopt::list_batch<double> candidates, prefopt::unpaired_batch<double> batch);
  /// Whether it is an unpaired loss that does not know which completions are good.
  bool is_judged_by_order() const;
  /// Accuracy and margin by the order of each record's answers, of these implicit rewards; on all ranks.
  evaluation judged_by_order(prefopt::report seen, std::vector<double> const& implicit) const;
  bool learns_reliability() const;
  bool reads_label() const;
  /// Accuracy and margin by the labels of the pairs; on all ranks.
  void judge_by_label(prefopt::report& seen, double pairs_of_all) const;

  any_loss loss_;
  prefopt::pairing pairing_;
  preference_set const& data_;
  bool takes_target_;
  ranks ranks_;
  prefopt::annotator_reliability reliability_;
  /// Of records with responses that are the same: of each response the first one that is.
  std::unordered_map<std::size_t, std::vector<std::size_t>> first_same_;
  double given_denominator_ = 0;
  std::vector<std::int64_t> offsets_;
  std::vector<double> reward_, target_, weight_, d_logp_;
  std::array<std::vector<double>, further_columns> further_;
  std::vector<double> margin_, label_, reliability_column_, d_chosen_, d_rejected_, chosen_reward_, rejected_reward_,
      implicit_reward_, posterior_;
  std::vector<std::size_t> annotators_;
};

template <class IsSame>
void objective::leave_out_same(IsSame const& is_same) {
  first_same_.clear();
  if (is_of_lists() || is_unpaired()) return;
  for (std::size_t record = 0; record < data_.records.size(); ++record) {
    std::size_t const count = data_.records[record].responses.size();
    if (data_.records[record].is_pair) continue;
    std::vector<std::size_t> first(count);
    bool has_same = false;
    for (std::size_t i = 0; i < count; ++i) {
      while (first[i] < i && !is_same(record, first[i], i)) ++first[i];
      has_same |= first[i] < i;
    }
    if (has_same) first_same_.emplace(record, std::move(first));
  }
}
