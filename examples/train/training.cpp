#include "training.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <numeric>
#include <prefopt/prefopt.hpp>
#include <random>
#include <span>
#include <string_view>
#include <utility>

#include "checkpoint.hpp"
#include "data_fields.hpp"
#include "input_error.hpp"
#include "linear_policy.hpp"
#include "loss_choice.hpp"
#include "ngram_policy.hpp"
#include "number_text.hpp"
#include "progress.hpp"
#include "replace_file.hpp"

namespace {

using index_list = std::vector<std::size_t>;
using index_view = std::span<std::size_t const>;

constexpr double sft_learning_rate = 0.1;

/// A generator for one purpose of the run: the same whether or not the run was stopped before.
std::mt19937_64 generator(std::uint64_t seed, std::uint32_t purpose, std::uint64_t epoch) {
  std::seed_seq sequence{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32), purpose,
                         static_cast<std::uint32_t>(epoch)};
  return std::mt19937_64{sequence};
}

run_setup setup_of(train_command const& command, preference_set const& data) {
  run_setup setup{{"--data", std::to_string(data.pairs.size()) + " pairs, checksum " + std::to_string(data.checksum)},
                  {"--policy", command.policy},
                  {"--loss", command.loss.name},
                  {"--base", command.loss.base.empty() ? "none" : command.loss.base},
                  {"--sft-epochs", std::to_string(command.sft_epochs)},
                  {"--batch", std::to_string(command.batch)},
                  {"--learning-rate", number_text(command.learning_rate)},
                  {"--holdout", number_text(command.holdout)},
                  {"--seed", std::to_string(command.seed)}};
  for (auto const& [name, value] : command.loss.parameters) setup.emplace_back("--" + name, number_text(value));
  return setup;
}

void check_same_setup(run_setup const& saved, run_setup const& now, std::string const& path) {
  for (std::size_t i = 0; i < std::min(saved.size(), now.size()); ++i) {
    if (saved[i] != now[i]) {
      throw at(path, 0, saved[i].first, "was " + saved[i].second + " in the run to resume, now " + now[i].second);
    }
  }
}

struct split {
  index_list training, held_out;

  split(std::size_t pairs, double holdout, std::uint64_t seed) {
    index_list all(pairs);
    std::iota(all.begin(), all.end(), std::size_t{0});
    std::ranges::shuffle(all, generator(seed, 0, 0));
    auto const count = static_cast<std::ptrdiff_t>(std::llround(holdout * static_cast<double>(pairs)));
    held_out.assign(all.begin(), all.begin() + count);
    training.assign(all.begin() + count, all.end());
    if (held_out.empty() || training.empty()) {
      throw input_error{"--holdout: " + number_text(holdout) + " of " + std::to_string(pairs) + " pairs leaves " +
                        std::to_string(training.size()) + " for training and " + std::to_string(held_out.size()) +
                        " held out, expected at least one each"};
    }
  }
};

/// Means over an epoch, as its batches come in. The loss is the sum over the batch of weight * loss.
class running_metrics {
 public:
  void add(prefopt::report const& batch, double loss) {
    auto const count = static_cast<double>(batch.count);
    sum_.loss += loss;
    sum_.accuracy += batch.accuracy * count;
    sum_.margin += batch.margin * count;
    count_ += count;
    weight_ += batch.weight;
  }

  pair_metrics mean() const {
    return {weight_ > 0 ? sum_.loss / weight_ : 0, sum_.accuracy / count_, sum_.margin / count_};
  }

 private:
  pair_metrics sum_;
  double count_ = 0, weight_ = 0;
};

std::string described(pair_metrics const& metrics) {
  char text[96];
  std::snprintf(text, sizeof text, "loss %.4f, accuracy %.3f, margin %.3f", metrics.loss, metrics.accuracy,
                metrics.margin);
  return text;
}

template <class Policy>
class trainer {
 public:
  trainer(train_command const& command, preference_set const& data)
      : command_{command},
        data_{data},
        loss_{make_loss(command.loss)},
        split_{data.pairs.size(), command.holdout, command.seed},
        policy_{data.pairs},
        reliability_{data.annotators.size()},
        checkpoint_path_{(std::filesystem::path{command.out} / "checkpoint").string()},
        metrics_path_{(std::filesystem::path{command.out} / "metrics.csv").string()} {
    check_fields(data, command.data, loss_);
    state_.setup = setup_of(command, data);
  }

  training_result run() {
    if (command_.resume) {
      resume();
    } else {
      start();
    }
    progress_.line(description(command_.loss) + ": " + std::to_string(split_.training.size()) + " pairs to train on, " +
                   std::to_string(split_.held_out.size()) + " held out, from " + command_.data);
    for (auto const& note : unread_fields(data_, loss_)) progress_.line(note);
    if constexpr (Policy::is_language_model) {
      while (state_.sft_epochs < command_.sft_epochs) sft_epoch();
    }
    if (state_.ref_chosen.empty()) begin_preference_phase();
    while (state_.epochs < command_.epochs) preference_epoch();

    auto const first = std::ranges::find(state_.rows, training_phase::preference, &epoch_metrics::phase);
    return {first->held_out, state_.rows.back().held_out, split_.held_out.size(), state_.reliability};
  }

 private:
  void start() {
    std::error_code error;
    std::filesystem::create_directories(command_.out, error);
    if (error) throw at(command_.out, 0, "", "cannot be made a folder: " + error.message());
    bool replaced = false;
    for (char const* name : {"checkpoint", "metrics.csv", "curves.png", "curves.svg", "reliability.csv"}) {
      replaced |= std::filesystem::remove(std::filesystem::path{command_.out} / name, error);
    }
    if (replaced) progress_.line(command_.out + ": replaces the results of an earlier run");
  }

  void resume() {
    checkpoint_file const saved{checkpoint_path_};
    check_same_setup(saved.state().setup, state_.setup, checkpoint_path_);
    if (saved.state().epochs > command_.epochs) {
      throw at(checkpoint_path_, 0, "--epochs",
               "the run to resume has done " + std::to_string(saved.state().epochs) + " already, got " +
                   std::to_string(command_.epochs));
    }
    saved.load_policy(policy_.state());
    state_ = saved.state();
    if (!state_.reliability.empty()) reliability_.assign(state_.reliability);
    replace_file(metrics_path_, metrics_csv(state_.rows));
    progress_.line("resumes after " + (state_.ref_chosen.empty() ? "sft epoch " + std::to_string(state_.sft_epochs) +
                                                                       " of " + std::to_string(command_.sft_epochs)
                                                                 : "epoch " + std::to_string(state_.epochs) + " of " +
                                                                       std::to_string(command_.epochs)));
  }

  /// Calls step(batch) for the training pairs in the order of this epoch.
  template <class Step>
  void for_each_batch(training_phase phase, std::uint64_t epoch, std::string const& what, Step step) {
    index_list order = split_.training;
    std::ranges::shuffle(order, generator(command_.seed, 1 + static_cast<std::uint32_t>(phase), epoch));
    for (std::size_t begin = 0; begin < order.size(); begin += command_.batch) {
      step(index_view{order}.subspan(begin, std::min(command_.batch, order.size() - begin)));
      progress_.show(what, std::min(begin + command_.batch, order.size()), order.size());
    }
  }

  /// Mean of -log p a byte of the chosen completions, by maximum likelihood: the same backward pass, with another
  /// gradient.
  double sft_loss(index_view rows) {
    chosen_.resize(rows.size());
    lengths_.resize(rows.size());
    policy_.log_probs(rows, {chosen_, {}, lengths_, {}});
    return -std::accumulate(chosen_.begin(), chosen_.end(), 0.0) /
           std::accumulate(lengths_.begin(), lengths_.end(), 0.0);
  }

  void sft_epoch() {
    std::uint64_t const epoch = state_.sft_epochs + 1;
    std::string const name = "sft " + std::to_string(epoch) + "/" + std::to_string(command_.sft_epochs);
    double sum = 0, bytes = 0;
    for_each_batch(training_phase::sft, epoch, name, [&](index_view rows) {
      double const loss = sft_loss(rows);
      double const length = std::accumulate(lengths_.begin(), lengths_.end(), 0.0);
      sum += loss * length;
      bytes += length;
      std::vector<double> const gradient(rows.size(), -1 / length);
      policy_.backward(rows, {gradient, {}});
      policy_.update(sft_learning_rate);
    });
    state_.sft_epochs = epoch;
    double const held_out = sft_loss(split_.held_out);
    finish_epoch({training_phase::sft, static_cast<std::uint32_t>(epoch), {.loss = sum / bytes}, {.loss = held_out}});
    char text[96];
    std::snprintf(text, sizeof text, ": -log p a byte %.4f, held out %.4f", sum / bytes, held_out);
    progress_.line(name + text);
  }

  /// The reference is the policy as it is now. It never changes, so it is asked once.
  void begin_preference_phase() {
    index_list all(data_.pairs.size());
    std::iota(all.begin(), all.end(), std::size_t{0});
    state_.ref_chosen.resize(all.size());
    state_.ref_rejected.resize(all.size());
    policy_.log_probs(all, {state_.ref_chosen, state_.ref_rejected, {}, {}});
    if constexpr (Policy::is_language_model) policy_.restart_optimizer();
    pair_metrics const before = held_out_metrics();
    finish_epoch({training_phase::preference, 0, {}, before});
    progress_.line("before: held-out " + described(before));
  }

  prefopt::stored_reference<double> reference() const { return {state_.ref_chosen, state_.ref_rejected}; }

  /// The columns of the data that the loss reads.
  prefopt::pair_columns<double> columns_of(index_view rows) {
    prefopt::pair_columns<double> columns;
    auto const gather = [&](std::vector<double>& column, double preference::*member) -> std::vector<double>& {
      column.resize(rows.size());
      std::ranges::transform(rows, column.begin(), [&](std::size_t row) { return data_.pairs[row].*member; });
      return column;
    };
    if (data_.has_weight) columns.weight = gather(weight_, &preference::weight);
    if (data_.has_margin && loss_.reads(prefopt::columns::margin))
      columns.margin = gather(margin_, &preference::margin);
    if (loss_.reads(prefopt::columns::label)) columns.label = gather(label_, &preference::label);
    if (loss_.reads(prefopt::columns::reliability)) {
      annotators_.resize(rows.size());
      std::ranges::transform(rows, annotators_.begin(), [&](std::size_t row) { return data_.pairs[row].annotator; });
      reliability_column_.resize(rows.size());
      reliability_.fill(annotators_, reliability_column_);
      columns.reliability = reliability_column_;
    }
    return columns;
  }

  pair_metrics held_out_metrics() {
    auto const fixed = reference();
    prefopt::report const seen = step_.forward(loss_, policy_, fixed, index_view{split_.held_out},
                                               columns_of(split_.held_out), {.non_finite = prefopt::on_invalid::error});
    return {seen.loss, seen.accuracy, seen.margin};
  }

  void preference_epoch() {
    std::uint64_t const epoch = state_.epochs + 1;
    std::string const name = "epoch " + std::to_string(epoch) + "/" + std::to_string(command_.epochs);
    auto const fixed = reference();
    running_metrics training;
    for_each_batch(training_phase::preference, epoch, name, [&](index_view rows) {
      // Divided by the number of pairs and not by the weights of the batch, so that a weight means the same in every
      // batch.
      auto const pairs = static_cast<double>(rows.size());
      prefopt::report const seen = step_(loss_, policy_, fixed, rows, columns_of(rows),
                                         {.denominator = pairs, .non_finite = prefopt::on_invalid::error});
      training.add(seen, seen.loss * pairs);
      policy_.update(command_.learning_rate);
      if (loss_.has_posterior()) {
        reliability_.accumulate(annotators_, step_.posterior());
        reliability_.update();
      }
    });
    state_.epochs = epoch;
    epoch_metrics const row{training_phase::preference, static_cast<std::uint32_t>(epoch), training.mean(),
                            held_out_metrics()};
    finish_epoch(row);
    progress_.line(name + ": training " + described(row.training) + "; held-out " + described(row.held_out));
  }

  void finish_epoch(epoch_metrics const& row) {
    state_.rows.push_back(row);
    if (loss_.has_posterior()) state_.reliability.assign(reliability_.values().begin(), reliability_.values().end());
    replace_file(metrics_path_, metrics_csv(state_.rows));
    save_checkpoint(checkpoint_path_, state_, policy_.state());
  }

  train_command const& command_;
  preference_set const& data_;
  prefopt::any_pair_loss loss_;
  split split_;
  Policy policy_;
  prefopt::annotator_reliability reliability_;
  prefopt::pair_step<double> step_;
  checkpoint state_;
  progress progress_;
  std::string checkpoint_path_, metrics_path_;
  std::vector<double> chosen_, lengths_, weight_, margin_, label_, reliability_column_;
  index_list annotators_;
};

}  // namespace

training_result train(train_command const& command, preference_set const& data) {
  if (command.policy == "linear") return trainer<linear_policy>{command, data}.run();
  return trainer<ngram_policy>{command, data}.run();
}
