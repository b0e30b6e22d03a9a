#include "objective.hpp"

#include <algorithm>
#include <utility>

#include "above_mean.hpp"
#include "data_fields.hpp"

namespace {

using index_view = std::span<std::size_t const>;

constexpr prefopt::on_invalid not_finite = prefopt::on_invalid::error;

}  // namespace

objective::objective(any_loss loss, prefopt::pairing pairing, preference_set const& data, ranks const& all)
    : loss_{std::move(loss)},
      pairing_{pairing},
      data_{data},
      takes_target_{takes_target(data, loss_)},
      ranks_{all},
      reliability_{data.annotators.size()} {
  leave_out_same([&](std::size_t record, std::size_t one, std::size_t other) {
    auto const& responses = data.records[record].responses;
    return responses[one] == responses[other];
  });
}

/// The columns of the groups that come from the data.
void objective::gather(index_view records) {
  offsets_.assign(1, 0);
  for (auto* const column : {&reward_, &target_, &weight_}) column->clear();
  for (std::size_t const index : records) {
    preference const& record = data_.records[index];
    offsets_.push_back(offsets_.back() + static_cast<std::int64_t>(record.responses.size()));
    reward_.insert(reward_.end(), record.rewards.begin(), record.rewards.end());
    target_.insert(target_.end(), record.target.begin(), record.target.end());
    weight_.push_back(record.weight);
  }
}

differing_pairs objective::pairs_of(index_view records, prefopt::list_batch<double> const& groups) const {
  return {groups, pairing_, [&](std::size_t group, std::size_t chosen, std::size_t rejected) {
            auto const found = first_same_.find(records[group]);
            if (found == first_same_.end()) return true;
            auto const begin = static_cast<std::size_t>(offsets_[group]);
            return found->second[chosen - begin] != found->second[rejected - begin];
          }};
}

std::size_t objective::count_gathered_pairs(index_view records) const {
  if (is_unpaired() && !is_judged_by_order()) return reward_.size();
  prefopt::list_batch<double> const groups{
      .logp = reward_, .reward = takes_target_ ? target_ : reward_, .offsets = offsets_};
  if (is_of_lists() || is_unpaired()) return prefopt::group_pairs<double>{groups, prefopt::pairing::every}.size();
  return pairs_of(records, groups).size();
}

std::size_t objective::count_same_pairs(index_view records) {
  if (is_unpaired() || is_of_lists()) return 0;
  gather(records);
  return pairs_of(records, {.logp = reward_, .reward = reward_, .offsets = offsets_}).same();
}

double objective::total(std::size_t of_rank) const {
  auto count = static_cast<double>(of_rank);
  ranks_.sum({&count, 1});
  return count;
}

std::size_t objective::count_pairs(index_view records) {
  gather(records);
  return count_gathered_pairs(records);
}

std::size_t objective::count_examples(index_view records) {
  gather(records);
  return is_unpaired() ? reward_.size() : count_gathered_pairs(records);
}

bool objective::is_judged_by_order() const { return is_unpaired() && !reads(loss_, prefopt::columns::label); }

bool objective::is_separable() const {
  return std::visit(
      [](auto const& any) {
        auto const& facts = any.facts();
        bool const observes_batch = facts.observed != 0 && facts.observed_from != prefopt::columns::kl;
        return facts.matches == prefopt::rank_matching::none && !observes_batch;
      },
      loss_);
}

double objective::denominator(index_view records) {
  return static_cast<double>(is_of_lists() ? records.size() : count_examples(records));
}

prefopt::options objective::options(double own_denominator) const {
  return {.denominator = given_denominator_ > 0 ? given_denominator_ : own_denominator,
          .non_finite = not_finite,
          .all_reduce = ranks_.sum};
}

objective::evaluation objective::evaluate(index_view records, prefopt::list_batch<double> scores,
                                          prefopt::unpaired_batch<double> const& others, double denominator) {
  given_denominator_ = denominator;
  gather(records);
  d_logp_.resize(reward_.size());
  scores.offsets = offsets_;
  if (data_.has_weight && reads_weight(loss_)) scores.weight = weight_;
  if (auto const* const loss = std::get_if<prefopt::any_unpaired_loss>(&loss_)) {
    return evaluate(*loss, records, scores, others);
  }
  if (auto const* const loss = std::get_if<prefopt::any_pair_loss>(&loss_)) return evaluate(*loss, records, scores);
  return evaluate(std::get<prefopt::any_list_loss>(loss_), records, scores);
}

objective::evaluation objective::evaluate(prefopt::any_list_loss const& loss, index_view records,
                                          prefopt::list_batch<double> groups) {
  if (takes_target_) {
    groups.target = target_;
  } else if (loss.reads(prefopt::columns::reward)) {
    groups.reward = reward_;
  }
  prefopt::report const seen = prefopt::evaluate(loss, groups, {.d_logp = d_logp_}, options(total(records.size())));
  return {seen, static_cast<std::size_t>(total(count_gathered_pairs(records)))};
}

objective::evaluation objective::evaluate(prefopt::any_pair_loss const& loss, index_view records,
                                          prefopt::list_batch<double> groups) {
  groups.reward = reward_;
  differing_pairs const pairs = pairs_of(records, groups);
  std::ranges::fill(d_logp_, 0);
  annotators_.clear();
  posterior_.resize(loss.has_posterior() ? pairs.size() : 0);
  double const pairs_of_all = total(pairs.size());
  if (pairs_of_all == 0) return {};

  prefopt::pair_batch<double> batch = pairs.batch();
  auto const gather = [&](std::vector<double>& column, double preference::*member) -> std::vector<double>& {
    column.resize(pairs.size());
    std::ranges::transform(pairs.group(), column.begin(),
                           [&](std::size_t group) { return data_.records[records[group]].*member; });
    return column;
  };
  if (data_.has_margin && loss.reads(prefopt::columns::margin)) batch.margin = gather(margin_, &preference::margin);
  if (loss.reads(prefopt::columns::label)) batch.label = gather(label_, &preference::label);
  for (std::size_t c = 0; c < further_columns; ++c) {
    auto const& column = prefopt::pair_family::inputs<double>[first_further + c];
    if (!gives_further(data_, loss_, c)) continue;
    further_[c].resize(pairs.size());
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      // Without a target the pair's difference of rewards is one.
      further_[c][i] = data_.has_further[c] ? data_.records[records[pairs.group()[i]]].further[c]
                                            : reward_[pairs.chosen()[i]] - reward_[pairs.rejected()[i]];
    }
    batch.*column.values = further_[c];
  }
  if (loss.reads(prefopt::columns::reliability)) {
    for (std::size_t const group : pairs.group()) annotators_.push_back(data_.records[records[group]].annotator);
    reliability_column_.resize(pairs.size());
    reliability_.fill(annotators_, reliability_column_);
    batch.reliability = reliability_column_;
  }

  for (auto* const column : {&d_chosen_, &d_rejected_}) column->resize(pairs.size());
  for (auto* const column : {&chosen_reward_, &rejected_reward_}) column->resize(reads_label() ? pairs.size() : 0);
  prefopt::report seen = prefopt::evaluate(loss, batch,
                                           {.d_chosen = d_chosen_,
                                            .d_rejected = d_rejected_,
                                            .chosen_reward = chosen_reward_,
                                            .rejected_reward = rejected_reward_,
                                            .posterior = posterior_},
                                           options(pairs_of_all));
  pairs.scatter(d_chosen_, d_rejected_, d_logp_);
  if (reads_label()) judge_by_label(seen, pairs_of_all);
  return {seen, static_cast<std::size_t>(pairs_of_all)};
}

void objective::judge_by_label(prefopt::report& seen, double pairs_of_all) const {
  std::array<double, 2> sums{};
  for (std::size_t i = 0; i < chosen_reward_.size(); ++i) {
    double const side = label_[i] > 0.5 ? 1 : label_[i] < 0.5 ? -1 : 0;
    double const margin = side * (chosen_reward_[i] - rejected_reward_[i]);
    sums[0] += margin > 0 ? 1 : margin == 0 ? 0.5 : 0;
    sums[1] += margin;
  }
  ranks_.sum(sums);
  seen.accuracy = sums[0] / pairs_of_all;
  seen.margin = sums[1] / pairs_of_all;
}

bool objective::reads_label() const { return ::reads_label(loss_, data_); }

bool objective::favours_rejected(std::size_t record) const { return ::favours_rejected(loss_, data_, record); }

objective::evaluation objective::evaluate(prefopt::any_unpaired_loss const& loss, index_view records,
                                          prefopt::list_batch<double> candidates,
                                          prefopt::unpaired_batch<double> batch) {
  batch.logp = candidates.logp;
  batch.ref_logp = candidates.ref_logp;
  batch.length = candidates.length;
  label_.clear();
  weight_.clear();
  for (std::size_t const index : records) {
    preference const& record = data_.records[index];
    std::vector<bool> const is_good = above_mean(record.rewards);
    for (std::size_t i = 0; i < record.rewards.size(); ++i) {
      label_.push_back(record.is_completion ? record.rewards[i] : is_good[i] ? 1 : 0);
      weight_.push_back(record.weight);
    }
  }
  if (loss.reads(prefopt::columns::label)) batch.label = label_;
  if (loss.reads(prefopt::columns::target)) batch.target = reward_;
  if (data_.has_weight) batch.weight = weight_;
  double const completions = total(reward_.size());
  implicit_reward_.resize(is_judged_by_order() ? reward_.size() : 0);
  prefopt::report const seen =
      prefopt::evaluate(loss, batch, {.d_logp = d_logp_, .reward = implicit_reward_}, options(completions));
  if (is_judged_by_order()) return judged_by_order(seen, implicit_reward_);
  return {seen, static_cast<std::size_t>(completions)};
}

objective::evaluation objective::judged_by_order(prefopt::report seen, std::vector<double> const& implicit) const {
  prefopt::group_pairs<double> const pairs{{.logp = implicit, .reward = reward_, .offsets = offsets_},
                                           prefopt::pairing::every};
  std::array<double, 3> sums{0, 0, static_cast<double>(pairs.size())};
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    double const margin = implicit[pairs.chosen()[i]] - implicit[pairs.rejected()[i]];
    sums[0] += margin > 0 ? 1 : margin == 0 ? 0.5 : 0;
    sums[1] += margin;
  }
  ranks_.sum(sums);
  seen.accuracy = sums[2] == 0 ? 0 : sums[0] / sums[2];
  seen.margin = sums[2] == 0 ? 0 : sums[1] / sums[2];
  return {seen, static_cast<std::size_t>(sums[2])};
}

bool objective::learns_reliability() const {
  auto const* const loss = std::get_if<prefopt::any_pair_loss>(&loss_);
  return loss != nullptr && loss->has_posterior();
}

void objective::learn_reliability() {
  if (!learns_reliability()) return;
  reliability_.accumulate(annotators_, posterior_);
  reliability_.update(ranks_.sum);
}

std::span<double const> objective::reliability() const {
  return learns_reliability() ? std::span<double const>{reliability_.values()} : std::span<double const>{};
}

void objective::set_reliability(std::span<double const> values) { reliability_.assign(values); }
