#include "adapter_policy.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "answer_hidden_states.hpp"

namespace {

/// Of the rows of a sequence, those that predict its answer.
template <class Number>
std::span<Number> answer_rows(tokenized_pair const& sequence, std::span<Number> rows, std::size_t width) {
  return rows.subspan((sequence.boundary - 1) * width, answer_length(sequence) * width);
}

}  // namespace

adapter_policy::adapter_policy(trainable_llama& model, std::size_t threads)
    : model_{model}, head_{model.head(), threads} {}

completion_rows const& adapter_policy::rows_of(tokenized_pair const& sequence, with_adapter use,
                                               completion_rows& rows) {
  rows.clear();
  answer_hidden_states(model_, sequence, use, hidden_);
  rows.add(sequence, hidden_);
  return rows;
}

void adapter_policy::log_probs(sequence_list sequences, with_adapter use, std::span<double> logp) {
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    head_.log_probs(rows_of(*sequences[i], use, rows_), logp.subspan(i, 1));
  }
}

void adapter_policy::log_probs_and_gradient(sequence_list sequences, std::span<double> logp,
                                            output_head::judge const& judge) {
  model_.adapter().clear_gradients();
  std::size_t tokens = 0;
  for (auto const* const sequence : sequences) tokens += sequence->ids.size();
  if (tokens <= most_kept || sequences.size() == 1) {
    add_gradient(sequences, logp, judge);
    return;
  }
  log_probs(sequences, with_adapter::yes, logp);
  auto const d_all = judge(logp);
  std::vector<double> const d_logp(d_all.begin(), d_all.end());
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    auto const of_one = [&](std::span<double const>) { return std::span{d_logp}.subspan(i, 1); };
    add_gradient(sequences.subspan(i, 1), logp.subspan(i, 1), of_one);
  }
}

void adapter_policy::add_gradient(sequence_list sequences, std::span<double> logp, output_head::judge const& judge) {
  std::vector<std::int32_t> ids;
  std::vector<std::size_t> offsets{0};
  for (auto const* const sequence : sequences) {
    ids.insert(ids.end(), sequence->ids.begin(), sequence->ids.end());
    offsets.push_back(ids.size());
  }
  std::size_t const width = head_.width();
  hidden_.resize(ids.size() * width);
  model_.forward({ids, offsets}, hidden_);

  rows_.clear();
  auto const own_rows = [&]<class Number>(std::size_t i, std::vector<Number>& all) {
    auto const begin = offsets[i] * width, end = offsets[i + 1] * width;
    return answer_rows(*sequences[i], std::span{all}.subspan(begin, end - begin), width);
  };
  for (std::size_t i = 0; i < sequences.size(); ++i) rows_.add(*sequences[i], own_rows(i, hidden_));
  d_rows_.resize(rows_.hidden.size());
  head_.log_probs(rows_, logp, judge, {.hidden = d_rows_, .weight = {}});

  d_hidden_.assign(hidden_.size(), 0);
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    auto const from = std::span{d_rows_}.subspan(static_cast<std::size_t>(rows_.offsets[i]) * width);
    auto const to = own_rows(i, d_hidden_);
    std::copy_n(from.begin(), to.size(), to.begin());
  }
  model_.backward(d_hidden_);
}

void adapter_policy::kl(sequence_list sequences, std::span<double> kl) {
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    head_.kl(rows_of(*sequences[i], with_adapter::yes, rows_), head_,
             rows_of(*sequences[i], with_adapter::no, reference_rows_), kl.subspan(i, 1));
  }
}
