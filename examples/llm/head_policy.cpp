#include "head_policy.hpp"

#include <Eigen/Core>
#include <cmath>
#include <functional>
#include <utility>

#include "packed_answers.hpp"
#include "seeded_generator.hpp"

namespace {

using head_matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

Eigen::Map<head_matrix> matrix_at(float* first, std::size_t rows, std::size_t columns) {
  return {first, static_cast<Eigen::Index>(rows), static_cast<Eigen::Index>(columns)};
}

}  // namespace

head_policy::head_policy(trainable_llama& model, std::function<std::unique_ptr<hidden_state_file const>()> open,
                         std::span<tokenized_pair const> sequences, lora_options const& options, std::size_t threads)
    : model_{model},
      open_{std::move(open)},
      sequences_{sequences},
      rank_{options.rank},
      width_{model.width()},
      scale_{static_cast<float>(options.alpha / static_cast<double>(options.rank))},
      values_(rank_ * (width_ + model.vocabulary())),
      gradient_(values_.size()),
      weight_(width_ * model.vocabulary()),
      d_weight_(weight_.size()),
      reference_{model.head(), threads},
      head_{{weight_.data(), model.vocabulary(), width_}, threads} {
  auto random = seeded_generator(options.seed, 2, 0);
  auto const bound = static_cast<float>(1 / std::sqrt(static_cast<double>(width_)));
  for (float& value : std::span{values_}.first(rank_ * width_)) {
    value = bound * (2 * static_cast<float>(random() >> 40U) * 0x1p-24F - 1);
  }
  apply_parameters();
}

void head_policy::prepare() {
  if (!kept_) kept_ = open_();
}

void head_policy::apply_parameters() {
  auto const a = matrix_at(values_.data(), rank_, width_),
             b = matrix_at(values_.data() + rank_ * width_, model_.vocabulary(), rank_);
  auto weight = matrix_at(weight_.data(), model_.vocabulary(), width_);
  weight = Eigen::Map<head_matrix const>(model_.head().data(), weight.rows(), weight.cols());
  weight.noalias() += scale_ * b * a;
}

void head_policy::read_answers(sequence_list sequences) {
  rows_.clear();
  for (auto const* const sequence : sequences) {
    // As pointers compare only within an array, by their order in memory.
    std::less<tokenized_pair const*> const before;
    bool const is_kept =
        !before(sequence, sequences_.data()) && before(sequence, sequences_.data() + sequences_.size());
    if (is_kept) {
      rows_.add(*sequence, kept_->rows(static_cast<std::size_t>(sequence - sequences_.data())));
    } else {
      add_answers(model_, {&sequence, 1}, with_adapter::no, rows_);
    }
  }
}

void head_policy::log_probs(sequence_list sequences, std::span<double> logp) {
  read_answers(sequences);
  head_.log_probs(rows_, logp);
}

void head_policy::reference_log_probs(sequence_list sequences, std::span<double> logp) {
  read_answers(sequences);
  reference_.log_probs(rows_, logp);
}

void head_policy::log_probs_and_gradient(sequence_list sequences, std::span<double> logp,
                                         output_head::judge const& judge) {
  read_answers(sequences);
  head_.log_probs(rows_, logp, judge, {.hidden = {}, .weight = d_weight_});
  auto const a = matrix_at(values_.data(), rank_, width_),
             b = matrix_at(values_.data() + rank_ * width_, model_.vocabulary(), rank_),
             d = matrix_at(d_weight_.data(), model_.vocabulary(), width_);
  matrix_at(gradient_.data(), rank_, width_).noalias() = scale_ * b.transpose() * d;
  matrix_at(gradient_.data() + rank_ * width_, model_.vocabulary(), rank_).noalias() = scale_ * d * a.transpose();
}

void head_policy::kl(sequence_list sequences, std::span<double> logp, std::span<double> kl) {
  read_answers(sequences);
  head_.log_probs(rows_, logp);
  head_.kl(rows_, reference_, rows_, kl);
}
