#include "preference_loss.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <string_view>
#include <vector>

#include "data_fields.hpp"
#include "further_members.hpp"

namespace {

at::Tensor floats(std::vector<double> const& values) {
  return torch::tensor(at::ArrayRef<double>{values}, at::kDouble).to(at::kFloat);
}

/// Of pairs: a view of the chosen ones (0) or the rejected (1).
at::Tensor of_pairs(at::Tensor const& candidates, std::int64_t which) {
  return candidates.slice(0, which, candidates.size(0), 2);
}

double parameter(loss_choice const& choice, std::string_view name) {
  return std::ranges::find(choice.parameters, name, &prefopt::parameter_values::value_type::first)->second;
}

/// Each record's loss in torch's functions; undefined for losses other than dpo, simpo and the plain adpo.
at::Tensor by_formula(loss_choice const& choice, record_columns const& records, at::Tensor const& log_prob,
                      at::Tensor const& length, at::Tensor const& reference) {
  auto const of = [&](char const* name) { return parameter(choice, name); };
  if (choice.name == "dpo") {
    at::Tensor const ratio = log_prob - reference;
    return -torch::log_sigmoid(of("beta") * (of_pairs(ratio, 0) - of_pairs(ratio, 1)));
  }
  if (choice.name == "simpo") {
    at::Tensor const mean = log_prob / length;
    return -torch::log_sigmoid(of("beta") * (of_pairs(mean, 0) - of_pairs(mean, 1)) - of("gamma"));
  }
  if (choice.name != "adpo" || of("standardize") != 0 || of("kl") != 0 || of("adapt") != 0) return {};
  std::vector<at::Tensor> losses;
  for (std::int64_t record = 0; record + 1 < records.offsets.size(0); ++record) {
    auto const part = [&](at::Tensor const& values) {
      return values.slice(0, records.offsets[record].item<std::int64_t>(),
                          records.offsets[record + 1].item<std::int64_t>());
    };
    at::Tensor const target = torch::softmax(part(records.reward).to(at::kDouble) / of("beta_reward"), 0);
    losses.push_back(-(target * torch::log_softmax(part(log_prob - reference) / of("tau"), 0)).sum());
  }
  return torch::stack(losses);
}

double share_of_largest(at::Tensor const& got, at::Tensor const& expected) {
  auto const largest = expected.abs().max().item<double>(),
             difference = (got.to(at::kDouble) - expected).abs().max().item<double>();
  return difference == 0 ? 0 : difference / largest;
}

}  // namespace

record_columns::record_columns(preference_set const& data, candidate_list const& all,
                               std::span<std::size_t const> records) {
  std::vector<std::int64_t> indices, ends{0};
  std::vector<double> rewards, targets, weights, margins, labels;
  std::array<std::vector<double>, further_columns> further_values;
  for (std::size_t const i : records) {
    auto const& record = data.records[i];
    for (std::int64_t c = all.offsets()[i]; c < all.offsets()[i + 1]; ++c) indices.push_back(c);
    ends.push_back(static_cast<std::int64_t>(indices.size()));
    rewards.insert(rewards.end(), record.rewards.begin(), record.rewards.end());
    targets.insert(targets.end(), record.target.begin(), record.target.end());
    weights.push_back(record.weight);
    margins.push_back(record.margin);
    labels.push_back(record.label);
    for (std::size_t c = 0; c < further_columns; ++c) {
      if (record.is_pair) further_values[c].push_back(further_of(data, record, c));
    }
  }
  candidates = torch::tensor(indices, at::kLong);
  offsets = torch::tensor(ends, at::kLong);
  reward = floats(rewards);
  target = floats(targets);
  weight = floats(weights);
  margin = floats(margins);
  label = floats(labels);
  for (std::size_t c = 0; c < further_columns; ++c) further[c] = floats(further_values[c]);
}

prefopt::torch_loss preference_loss::operator()(record_columns const& records,
                                                prefopt::torch_sequences const& sequences,
                                                at::Tensor const& reference) const {
  using prefopt::columns;
  at::Tensor const& log_prob = sequences.log_prob;
  at::Tensor ref_log_prob, length, weight;
  if (data.has_weight && reads_weight(loss)) weight = records.weight;
  if (reads(loss, columns::reference)) ref_log_prob = reference.index_select(0, records.candidates);
  if (needs(loss, columns::length)) length = sequences.length;
  prefopt::options const options{.non_finite = prefopt::on_invalid::error};
  if (auto const* const list_loss = std::get_if<prefopt::any_list_loss>(&loss)) {
    prefopt::torch_groups groups{
        .logp = log_prob, .ref_logp = ref_log_prob, .length = length, .weight = weight, .offsets = records.offsets};
    if (takes_target(data, loss)) {
      groups.target = records.target;
    } else if (reads(loss, columns::reward)) {
      groups.reward = records.reward;
    }
    return torch_evaluate(*list_loss, groups, options);
  }
  prefopt::torch_pairs pairs{.chosen = of_pairs(log_prob, 0), .rejected = of_pairs(log_prob, 1), .weight = weight};
  if (ref_log_prob.defined()) {
    pairs.ref_chosen = of_pairs(ref_log_prob, 0);
    pairs.ref_rejected = of_pairs(ref_log_prob, 1);
  }
  if (length.defined()) {
    pairs.chosen_length = of_pairs(length, 0);
    pairs.rejected_length = of_pairs(length, 1);
  }
  if (data.has_margin && reads(loss, columns::margin)) pairs.margin = records.margin;
  if (reads(loss, columns::label)) pairs.label = records.label;
  for (std::size_t c = 0; c < further_columns; ++c) {
    if (gives_further(data, loss, c)) pairs.*further_members_of<prefopt::torch_pairs>[c] = records.further[c];
  }
  return torch_evaluate(std::get<prefopt::any_pair_loss>(loss), pairs, options);
}

autograd_difference difference_from_autograd(preference_loss const& loss, loss_choice const& choice,
                                             record_columns const& records, at::Tensor const& logits,
                                             at::Tensor const& labels, at::Tensor const& reference) {
  at::Tensor const leaf = logits.detach().requires_grad_();
  auto const sequences = prefopt::torch_log_probs({.logits = leaf, .labels = labels});
  at::Tensor const d = torch::autograd::grad({loss(records, sequences, reference).loss}, {leaf})[0];

  at::Tensor const wide = logits.detach().to(at::kDouble).requires_grad_(), counts = labels >= 0;
  at::Tensor const of_labels = torch::log_softmax(wide, -1).gather(-1, labels.clamp_min(0).unsqueeze(-1)).squeeze(-1);
  at::Tensor const log_prob = (of_labels * counts).sum(-1), length = counts.sum(-1);
  // A float has a log-prob of some hundred nats to 1e-5, which would show in the slope of the loss: autograd gets the
  // same rounded ones.
  at::Tensor const rounded = log_prob + (sequences.log_prob - log_prob).detach();
  at::Tensor const of_records =
      reference.defined() ? reference.index_select(0, records.candidates).to(at::kDouble) : reference;
  at::Tensor const each = by_formula(choice, records, rounded, length, of_records);
  bool const knows_formula = each.defined() && !takes_target(loss.data, loss.loss);
  at::Tensor const value = knows_formula
                               ? (records.weight * each).sum() /
                                     records.weight.to(at::kDouble).sum().clamp_min(std::numeric_limits<double>::min())
                               : loss(records, {rounded, length}, reference).loss;
  at::Tensor const d_expected = torch::autograd::grad({value}, {wide})[0];
  return {share_of_largest(sequences.log_prob.detach(), log_prob.detach()), share_of_largest(d, d_expected),
          knows_formula};
}
