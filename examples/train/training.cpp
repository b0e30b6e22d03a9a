#include "training.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <numeric>
#include <optional>
#include <prefopt/prefopt.hpp>
#include <random>
#include <span>
#include <string_view>
#include <utility>

#include "any_loss.hpp"
#include "candidate_list.hpp"
#include "checkpoint.hpp"
#include "checksum.hpp"
#include "data_fields.hpp"
#include "input_error.hpp"
#include "linear_policy.hpp"
#include "ngram_policy.hpp"
#include "number_text.hpp"
#include "objective.hpp"
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
  run_setup setup{{"--data", std::to_string(data.records.size()) + " " + data.noun() + ", checksum " +
                                 std::to_string(data.checksum)},
                  {"--policy", command.policy},
                  {"--loss", command.loss.name},
                  {"--base", command.loss.base.empty() ? "none" : command.loss.base},
                  {"--sft-epochs", std::to_string(command.sft_epochs)},
                  {"--batch", std::to_string(command.batch)},
                  {"--learning-rate", number_text(command.learning_rate)},
                  {"--holdout", number_text(command.holdout)},
                  {"--seed", std::to_string(command.seed)},
                  {"--pairs", command.loss.kind == loss_kind::pair ? command.pairs : "none"}};
  for (auto const& [name, value] : command.loss.parameters) setup.emplace_back("--" + name, number_text(value));
  return setup;
}

void check_same_setup(run_setup const& saved, run_setup const& now, std::string const& path) {
  for (std::size_t i = 0; i < std::min(saved.size(), now.size()); ++i) {
    if (saved[i] != now[i]) {
      throw error_at(path, 0, saved[i].first, "was " + saved[i].second + " in the run to resume, now " + now[i].second);
    }
  }
}

/// Ranks with other numbers would wait for each other in vain, or add up what does not belong together.
void check_same_on_every_rank(double own, std::string const& what, ranks const& all) {
  double first = all.is_first() ? own : 0;
  all.sum({&first, 1});
  all.together([&] {
    if (own != first) throw input_error{"the first rank has " + what};
  });
}

void check_same_options_on_every_rank(train_command const& command, run_setup const& setup, ranks const& all) {
  std::string options = "--epochs " + std::to_string(command.epochs) + (command.resume ? " --resume" : "");
  for (auto const& [name, value] : setup) options.append(" ").append(name).append(" ").append(value);
  check_same_on_every_rank(checksum_of(options), "other options or data, this one has " + options, all);
}

struct split {
  index_list training, held_out;

  split(preference_set const& data, double holdout, std::uint64_t seed) {
    index_list all(data.records.size());
    std::iota(all.begin(), all.end(), std::size_t{0});
    std::ranges::shuffle(all, generator(seed, 0, 0));
    auto const count = static_cast<std::ptrdiff_t>(std::llround(holdout * static_cast<double>(all.size())));
    held_out.assign(all.begin(), all.begin() + count);
    training.assign(all.begin() + count, all.end());
    if (held_out.empty() || training.empty()) {
      throw input_error{"--holdout: " + number_text(holdout) + " of " + std::to_string(all.size()) + " " + data.noun() +
                        " leaves " + std::to_string(training.size()) + " for training and " +
                        std::to_string(held_out.size()) + " held out, expected at least one each"};
    }
  }
};

/// Means over batches, as they come in.
class running_metrics {
 public:
  void add(objective::evaluation const& batch) {
    auto const& seen = batch.report;
    auto const count = static_cast<double>(seen.count), pairs = static_cast<double>(batch.pairs);
    sum_.loss += seen.loss * count;
    sum_.accuracy += seen.accuracy * pairs;
    sum_.margin += seen.margin * count;
    sum_.best_probability += seen.best_probability * count;
    count_ += count;
    pairs_ += pairs;
    weight_ += seen.weight;
  }

  loss_metrics mean() const {
    auto const divided = [](double sum, double by) { return by > 0 ? sum / by : 0; };
    return {divided(sum_.loss, weight_), divided(sum_.accuracy, pairs_), divided(sum_.margin, count_),
            divided(sum_.best_probability, count_)};
  }

 private:
  loss_metrics sum_;
  double count_ = 0, pairs_ = 0, weight_ = 0;
};

std::string described(loss_metrics const& metrics, bool has_best_probability) {
  char text[128];
  std::snprintf(text, sizeof text, "loss %.4f, accuracy %.3f, margin %.3f", metrics.loss, metrics.accuracy,
                metrics.margin);
  std::string all{text};
  if (has_best_probability) {
    std::snprintf(text, sizeof text, ", best probability %.3f", metrics.best_probability);
    all += text;
  }
  return all;
}

template <class Policy>
class trainer {
 public:
  trainer(train_command const& command, preference_set const& data, ranks const& all)
      : command_{command},
        data_{data},
        all_{all},
        objective_{loss_of(command.loss), command.pairing(), data, all},
        split_{data, command.holdout, command.seed},
        candidates_{data},
        policy_{candidates_.all()},
        checkpoint_path_{(std::filesystem::path{command.out} / "checkpoint").string()},
        metrics_path_{(std::filesystem::path{command.out} / "metrics.csv").string()} {
    for (auto const* part : {&split_.training, &split_.held_out}) {
      if (objective_.count_pairs(*part) != 0) continue;
      throw input_error{"--seed: " + std::to_string(command.seed) + " leaves no response that is better than another " +
                        (part == &split_.held_out ? "held out" : "for training") + ", expected at least one pair"};
    }
    state_.setup = setup_of(command, data);
  }

  training_result run() {
    check_same_options_on_every_rank(command_, state_.setup, all_);
    std::uint32_t resumed = 0;
    all_.together([&] {
      if (command_.resume) {
        resumed = resume();
      } else if (all_.is_first()) {
        start();
      }
    });
    check_same_on_every_rank(resumed, "another checkpoint, this one has read " + checkpoint_path_, all_);
    if (all_.is_first()) tell_what_is_done();
    if constexpr (Policy::is_language_model) {
      while (state_.sft_epochs < command_.sft_epochs) sft_epoch();
    }
    if (state_.ref_logp.empty()) begin_preference_phase();
    while (state_.epochs < command_.epochs) preference_epoch();

    auto const first = std::ranges::find(state_.rows, training_phase::preference, &epoch_metrics::phase);
    auto const groups = std::ranges::count_if(split_.held_out, [&](std::size_t record) {
      return objective_.count_pairs({&record, 1}) != 0;
    });
    return {first->held_out, state_.rows.back().held_out, objective_.count_pairs(split_.held_out),
            static_cast<std::size_t>(groups), state_.reliability};
  }

 private:
  void start() {
    std::error_code error;
    std::filesystem::create_directories(command_.out, error);
    if (error) throw error_at(command_.out, 0, "", "cannot be made a folder: " + error.message());
    bool replaced = false;
    for (char const* name : {"checkpoint", "metrics.csv", "curves.png", "curves.svg", "reliability.csv"}) {
      replaced |= std::filesystem::remove(std::filesystem::path{command_.out} / name, error);
    }
    if (replaced) tell(command_.out + ": replaces the results of an earlier run");
  }

  /// Returns the checkpoint's checksum.
  std::uint32_t resume() {
    checkpoint_file const saved{checkpoint_path_};
    check_same_setup(saved.state().setup, state_.setup, checkpoint_path_);
    if (saved.state().epochs > command_.epochs) {
      throw error_at(checkpoint_path_, 0, "--epochs",
                     "the run to resume has done " + std::to_string(saved.state().epochs) + " already, got " +
                         std::to_string(command_.epochs));
    }
    saved.load_policy(policy_.state());
    state_ = saved.state();
    if (!state_.reliability.empty()) objective_.set_reliability(state_.reliability);
    if (all_.is_first()) replace_file(metrics_path_, metrics_csv(state_.rows, objective_.is_of_lists()));
    tell("resumes after " +
         (state_.ref_logp.empty()
              ? "sft epoch " + std::to_string(state_.sft_epochs) + " of " + std::to_string(command_.sft_epochs)
              : "epoch " + std::to_string(state_.epochs) + " of " + std::to_string(command_.epochs)));
    return saved.checksum();
  }

  void tell(std::string const& text) {
    if (all_.is_first()) progress_.line(text);
  }

  void tell_what_is_done() {
    auto const counted = [](std::size_t training, std::size_t held_out, std::string const& noun) {
      return std::to_string(training) + " " + noun + " to train on, " + std::to_string(held_out) + " held out";
    };
    for (auto const& note : data_.notes) progress_.line(note);
    progress_.line(description(command_.loss) + ": " +
                   counted(split_.training.size(), split_.held_out.size(), data_.noun()) + ", from " + command_.data);
    if (objective_.is_of_lists()) {
      if (data_.has_pairs) progress_.line("each pair is a group of two, with rewards 1 and 0");
    } else if (objective_.is_unpaired()) {
      if (data_.has_pairs || data_.has_ranked) {
        progress_.line(std::string{"each response is a completion by itself: "} +
                       (data_.has_pairs ? "of a pair chosen is good, rejected bad" : "") +
                       (data_.has_pairs && data_.has_ranked ? "; " : "") +
                       (data_.has_ranked ? "of ranked ones those above their mean reward are good" : ""));
      }
    } else if (data_.has_ranked) {
      progress_.line(
          "of the groups --pairs " + command_.pairs + " makes " +
          counted(objective_.count_pairs(split_.training), objective_.count_pairs(split_.held_out), "pairs"));
    }
    for (auto const& note : notes_on_fields(data_, objective_.loss())) progress_.line(note);
  }

  /// Calls step(share of a batch) for the training records in the order of this epoch.
  template <class Step>
  void for_each_batch(training_phase phase, std::uint64_t epoch, std::string const& what, Step step) {
    index_list order = split_.training;
    std::ranges::shuffle(order, generator(command_.seed, 1 + static_cast<std::uint32_t>(phase), epoch));
    for (std::size_t begin = 0; begin < order.size(); begin += command_.batch) {
      step(all_.share(index_view{order}.subspan(begin, std::min(command_.batch, order.size() - begin))));
      if (all_.is_first()) progress_.show(what, std::min(begin + command_.batch, order.size()), order.size());
    }
  }

  /// What the mean of -log p a byte is made of.
  struct sft_sums {
    double negative_log_prob, bytes;
    double mean() const { return bytes == 0 ? 0 : negative_log_prob / bytes; }
  };

  /// Of the best completions, by maximum likelihood: the same backward pass, with another gradient. Leaves those of
  /// this rank's records in batch_, and sums over all ranks.
  sft_sums sft(index_view records) {
    batch_.clear();
    for (std::size_t const record : records) {
      preference const& of = data_.records[record];
      if (of.is_completion && of.rewards[0] < 0.5) continue;
      batch_.push_back(static_cast<std::size_t>(candidates_.best()[record]));
    }
    logp_.resize(batch_.size());
    length_.resize(batch_.size());
    policy_.log_probs(batch_, {logp_, length_});
    std::array<double, 2> sums{-std::accumulate(logp_.begin(), logp_.end(), 0.0),
                               std::accumulate(length_.begin(), length_.end(), 0.0)};
    all_.sum(sums);
    return {sums[0], sums[1]};
  }

  void sft_epoch() {
    std::uint64_t const epoch = state_.sft_epochs + 1;
    std::string const name = "sft " + std::to_string(epoch) + "/" + std::to_string(command_.sft_epochs);
    sft_sums training{};
    for_each_batch(training_phase::sft, epoch, name, [&](index_view records) {
      sft_sums const sums = sft(records);
      training.negative_log_prob += sums.negative_log_prob;
      training.bytes += sums.bytes;
      std::vector<double> const gradient(batch_.size(), -1 / sums.bytes);
      policy_.backward(batch_, {gradient});
      policy_.add_up(all_);
      policy_.update(sft_learning_rate);
    });
    state_.sft_epochs = epoch;
    double const held_out = sft(all_.share(index_view{split_.held_out})).mean();
    finish_epoch(
        {training_phase::sft, static_cast<std::uint32_t>(epoch), {.loss = training.mean()}, {.loss = held_out}});
    char text[96];
    std::snprintf(text, sizeof text, ": -log p a byte %.4f, held out %.4f", training.mean(), held_out);
    tell(name + text);
  }

  /// The reference is the policy as it is now. It never changes, so it is asked once.
  void begin_preference_phase() {
    index_list every(candidates_.all().size());
    std::iota(every.begin(), every.end(), std::size_t{0});
    index_view const own = all_.share(index_view{every});
    state_.ref_logp.assign(every.size(), 0);
    if (!own.empty()) policy_.log_probs(own, {std::span{state_.ref_logp}.subspan(own.front(), own.size()), {}});
    all_.sum(state_.ref_logp);
    if constexpr (Policy::is_language_model) policy_.restart_optimizer();
    loss_metrics const before = held_out_metrics();
    finish_epoch({training_phase::preference, 0, {}, before});
    tell("before: held-out " + described(before, objective_.is_of_lists()));
  }

  /// Policy and reference score all responses of this rank's records, and the loss judges those of all ranks. Leaves
  /// the responses in batch_.
  objective::evaluation evaluate(index_view records) {
    candidates_.of(records, batch_);
    logp_.resize(batch_.size());
    ref_logp_.resize(objective_.reads_reference() ? batch_.size() : 0);
    length_.resize(objective_.reads_length() ? batch_.size() : 0);
    policy_.log_probs(batch_, {logp_, length_});
    if (!ref_logp_.empty()) {
      prefopt::stored_list_reference<double> const reference{state_.ref_logp, candidates_.offsets()};
      reference.log_probs(records, prefopt::list_log_probs<double>{ref_logp_, {}});
    }
    prefopt::list_batch<double> scores{.logp = logp_};
    if (!ref_logp_.empty()) scores.ref_logp = ref_logp_;
    if (!length_.empty()) scores.length = length_;
    return objective_.evaluate(records, scores);
  }

  loss_metrics held_out_metrics() {
    running_metrics held_out;
    held_out.add(evaluate(all_.share(index_view{split_.held_out})));
    return held_out.mean();
  }

  void preference_epoch() {
    std::uint64_t const epoch = state_.epochs + 1;
    std::string const name = "epoch " + std::to_string(epoch) + "/" + std::to_string(command_.epochs);
    running_metrics training;
    for_each_batch(training_phase::preference, epoch, name, [&](index_view records) {
      training.add(evaluate(records));
      policy_.backward(batch_, {objective_.d_logp()});
      policy_.add_up(all_);
      policy_.update(command_.learning_rate);
      objective_.learn_reliability();
    });
    state_.epochs = epoch;
    epoch_metrics const row{training_phase::preference, static_cast<std::uint32_t>(epoch), training.mean(),
                            held_out_metrics()};
    finish_epoch(row);
    tell(name + ": training " + described(row.training, objective_.is_of_lists()) + "; held-out " +
         described(row.held_out, objective_.is_of_lists()));
  }

  void finish_epoch(epoch_metrics const& row) {
    state_.rows.push_back(row);
    state_.reliability.assign(objective_.reliability().begin(), objective_.reliability().end());
    if (!all_.is_first()) return;
    replace_file(metrics_path_, metrics_csv(state_.rows, objective_.is_of_lists()));
    save_checkpoint(checkpoint_path_, state_, policy_.state());
  }

  train_command const& command_;
  preference_set const& data_;
  ranks const all_;
  objective objective_;
  split split_;
  candidate_list candidates_;
  Policy policy_;
  checkpoint state_;
  progress progress_;
  std::string checkpoint_path_, metrics_path_;
  index_list batch_;
  std::vector<double> logp_, ref_logp_, length_;
};

template <class Policy>
training_result run_trainer(train_command const& command, preference_set const& data, ranks const& all) {
  std::optional<trainer<Policy>> made;
  all.together([&] {
    check_fields(data, command.data, loss_of(command.loss));
    made.emplace(command, data, all);
  });
  return made->run();
}

}  // namespace

training_result train(train_command const& command, preference_set const& data, ranks const& all) {
  if (command.policy == "linear") return run_trainer<linear_policy>(command, data, all);
  return run_trainer<ngram_policy>(command, data, all);
}
