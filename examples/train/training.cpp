#include "training.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <numeric>
#include <optional>
#include <prefopt/prefopt.hpp>
#include <span>
#include <utility>

#include "any_loss.hpp"
#include "candidate_list.hpp"
#include "checkpoint.hpp"
#include "comparable_records.hpp"
#include "data_fields.hpp"
#include "holdout_split.hpp"
#include "input_error.hpp"
#include "linear_policy.hpp"
#include "ngram_policy.hpp"
#include "number_text.hpp"
#include "objective.hpp"
#include "pairs_option.hpp"
#include "progress.hpp"
#include "replace_file.hpp"
#include "running_metrics.hpp"
#include "seeded_generator.hpp"
#include "training_setup.hpp"

namespace {

using index_list = std::vector<std::size_t>;
using index_view = std::span<std::size_t const>;

constexpr double sft_learning_rate = 0.1;

template <class Policy>
class trainer {
 public:
  trainer(train_command const& command, preference_set const& data, results_folder& folder, ranks const& all)
      : command_{command},
        data_{data},
        all_{all},
        folder_{folder},
        objective_{loss_of(command.loss), pairing_of(command.pairs), data, all},
        candidates_{data},
        policy_{candidates_.all()},
        comparable_{checked(comparable_records{data, candidates_, policy_, objective_.loss()})},
        split_{data, comparable_.kept, command.holdout, command.seed},
        checkpoint_path_{folder.file("checkpoint")},
        metrics_path_{folder.file("metrics.csv")} {
    same_text_pairs_ = objective_.count_same_pairs(comparable_.kept);
    objective_.leave_out_same([&](std::size_t record, std::size_t one, std::size_t other) {
      auto const first = static_cast<std::size_t>(candidates_.offsets()[record]);
      return policy_.is_same(first + one, first + other);
    });
    same_pairs_ = objective_.count_same_pairs(comparable_.kept);
    for (auto const* part : {&split_.training(), &split_.held_out()}) {
      if (objective_.count_examples(*part) != 0) continue;
      throw input_error{"--seed: " + std::to_string(command.seed) + " leaves no response that is better than another " +
                        (part == &split_.held_out() ? "held out" : "for training") + ", expected at least one pair"};
    }
    if (objective_.reads_others() && command.batch < 2) {
      throw input_error{"--batch: " + name_of(objective_.loss()) +
                        " takes its reference point from the other records of a batch, got 1, expected 2 or more"};
    }
    known_ = {.accuracy = objective_.count_pairs(split_.held_out()) != 0, .best_probability = objective_.is_of_lists()};
    state_.setup = setup_of(command, data, comparable_, split_, Policy::description());
  }

  training_result run() {
    check_same_options_on_every_rank(command_, state_.setup, all_);
    std::uint32_t resumed = 0;
    all_.together([&] {
      if (all_.is_first()) take_folder();
      if (command_.resume) resumed = resume();
    });
    check_same_on_every_rank(resumed, "another checkpoint, this one has read " + checkpoint_path_, all_);
    if (all_.is_first()) tell_what_is_done();
    if constexpr (Policy::is_language_model) {
      while (state_.sft_epochs < command_.sft_epochs) sft_epoch();
    }
    if (state_.ref_logp.empty()) begin_preference_phase();
    while (state_.epochs < command_.epochs) preference_epoch();

    auto const first = std::ranges::find(state_.rows, training_phase::preference, &epoch_metrics::phase);
    index_list judged = split_.held_out();
    std::erase_if(judged, [&](std::size_t record) { return objective_.count_pairs({&record, 1}) == 0; });
    return {.before = first->held_out,
            .after = state_.rows.back().held_out,
            .counted = objective_.counted(),
            .pairs = objective_.count_pairs(judged),
            .groups = judged.size(),
            .prompts = split_.prompts_of(judged),
            .trials = split_.independent_records(judged),
            .reliability = state_.reliability};
  }

 private:
  comparable_records checked(comparable_records records) const {
    if (!records.kept.empty()) return records;
    if (records.equal_rewards != 0) {
      throw error_at(command_.data, 0, "rewards",
                     "leave no record of which something can be learnt: " + std::to_string(records.equal_rewards) +
                         " have equal ones only, so that no response is good or bad");
    }
    throw error_at(command_.data, 0, "",
                   std::string{"in every record all responses are the same"} +
                       (records.same_to_policy == 0 ? "" : " to --policy " + command_.policy) +
                       ", expected some response that is better than another");
  }

  void take_folder() {
    // Where there is no folder there is no run to resume, which the missing checkpoint tells.
    if (command_.resume && !std::filesystem::exists(folder_.path())) return;
    if (!folder_.take()) {
      tell("note: the file system of " + folder_.path() +
           " has no locks; a second run in this folder would spoil both");
    }
    if (!command_.resume && folder_.clear()) tell(folder_.path() + ": replaces the results of an earlier run");
  }

  /// Returns the checkpoint's checksum.
  std::uint32_t resume() {
    auto saved = last_whole<checkpoint_file>(checkpoint_path_, [&](std::string const& note) { tell(note); });
    check_same_setup(saved.state().setup, state_.setup, checkpoint_path_);
    saved.check_state(state_.setup, command_.sft_epochs, candidates_.all().size(), objective_.reliability().size());
    if (saved.state().epochs > command_.epochs) {
      throw error_at(checkpoint_path_, 0, "--epochs",
                     "the run to resume has done " + std::to_string(saved.state().epochs) + " already, got " +
                         std::to_string(command_.epochs));
    }
    if (objective_.reads_others() && !saved.state().ref_logp.empty()) reference_.emplace(policy_);
    saved.load_policy(saved_arrays());
    state_ = saved.state();
    if (!state_.reliability.empty()) objective_.set_reliability(state_.reliability);
    if (all_.is_first()) replace_file(metrics_path_, metrics_csv(state_.rows, known_));
    tell("resumes after " +
         (state_.ref_logp.empty()
              ? "sft epoch " + std::to_string(state_.sft_epochs) + " of " + std::to_string(command_.sft_epochs)
              : "epoch " + std::to_string(state_.epochs) + " of " + std::to_string(command_.epochs)));
    return saved.checksum();
  }

  /// What a checkpoint has to have of the policies; the reference's weights if it will be asked again.
  std::vector<std::span<float>> saved_arrays() {
    auto arrays = policy_.state();
    if (reference_) arrays.insert(arrays.begin(), reference_->state().front());
    return arrays;
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
                   counted(split_.training().size(), split_.held_out().size(), data_.noun()) + ", from " +
                   command_.data);
    if (objective_.is_of_lists()) {
      if (data_.has_pairs) progress_.line("each pair is a group of two, with rewards 1 and 0");
    } else if (objective_.is_unpaired()) {
      if (data_.has_pairs || data_.has_ranked) {
        progress_.line(std::string{"each response is a completion by itself: "} +
                       (data_.has_pairs ? "of a pair chosen is good, rejected bad" : "") +
                       (data_.has_pairs && data_.has_ranked ? "; " : "") +
                       (data_.has_ranked ? "of ranked ones those above their mean reward are good" : ""));
      }
      if (objective_.reads_others()) {
        progress_.line(
            name_of(objective_.loss()) +
            "'s reference point: the mean log-ratio of a batch's completions, each under the prompt of the " +
            "record after its own, at least --kl");
      }
    } else if (data_.has_ranked) {
      progress_.line(
          "of the groups --pairs " + command_.pairs + " makes " +
          counted(objective_.count_pairs(split_.training()), objective_.count_pairs(split_.held_out()), "pairs"));
    }
    tell_what_is_left_out();
    for (auto const& note : notes_on_fields(data_, objective_.loss())) progress_.line(note);
    for (auto const& note : split_.notes(data_)) {
      progress_.line(note + (split_.sharing() == 0 ? "" : ", and the interval counts prompts"));
    }
  }

  void tell_what_is_left_out() {
    auto const left_out = [&](std::size_t count, std::string const& why) {
      if (count == 0) return;
      progress_.line("note: " + std::to_string(count) + " of " + std::to_string(data_.records.size()) + " " +
                     data_.noun() + " are left out: " + why);
    };
    left_out(comparable_.same_text, "their responses are the same text");
    left_out(comparable_.same_to_policy,
             "their responses differ in nothing that --policy " + command_.policy + " reads");
    auto const left_out_pairs = [&](std::size_t count, std::string const& why) {
      if (count != 0) {
        progress_.line("note: " + std::to_string(count) + " pairs of ranked responses are left out: both " + why);
      }
    };
    left_out_pairs(same_text_pairs_, "are the same text");
    left_out_pairs(same_pairs_ - same_text_pairs_, "are the same in all that --policy " + command_.policy + " reads");
    left_out(comparable_.equal_rewards, "their rewards are equal, so that no response is good or bad");
  }

  /// Calls step(batch) for the training records in the order of this epoch.
  template <class Step>
  void for_each_batch(training_phase phase, std::uint64_t epoch, std::string const& what, Step step) {
    index_list order = split_.training();
    std::ranges::shuffle(order, seeded_generator(command_.seed, 1 + static_cast<std::uint32_t>(phase), epoch));
    for (std::size_t begin = 0; begin < order.size(); begin += command_.batch) {
      step(index_view{order}.subspan(begin, std::min(command_.batch, order.size() - begin)));
      if (all_.is_first()) progress_.show(what, std::min(begin + command_.batch, order.size()), order.size());
    }
  }

  /// Of the best completions, each times its record's weight; and how many bytes they have without.
  struct sft_sums {
    double negative_log_prob = 0, weighted_bytes = 0, bytes = 0;
    /// -log p a byte.
    double mean() const { return weighted_bytes > 0 ? negative_log_prob / weighted_bytes : 0; }
  };

  /// Of the best completions, those that labels favour where the loss reads them, by maximum likelihood: the same
  /// backward pass, with another gradient. Leaves those of this rank's records in batch_ and their weights in weight_,
  /// and sums over all ranks.
  sft_sums sft(index_view records) {
    batch_.clear();
    weight_.clear();
    for (std::size_t const record : records) {
      preference const& of = data_.records[record];
      if (of.is_completion && of.rewards[0] < 0.5) continue;
      auto const rejected = static_cast<std::size_t>(candidates_.offsets()[record]) + 1;
      batch_.push_back(objective_.favours_rejected(record) ? rejected
                                                           : static_cast<std::size_t>(candidates_.best()[record]));
      weight_.push_back(of.weight);
    }
    logp_.resize(batch_.size());
    length_.resize(batch_.size());
    policy_.log_probs(batch_, {logp_, length_});
    std::array<double, 3> sums{-std::inner_product(logp_.begin(), logp_.end(), weight_.begin(), 0.0),
                               std::inner_product(length_.begin(), length_.end(), weight_.begin(), 0.0),
                               std::accumulate(length_.begin(), length_.end(), 0.0)};
    all_.sum(sums);
    constexpr double largest = std::numeric_limits<float>::max();  // the policy's gradients are of that type
    if (!(sums[1] <= largest)) {
      throw error_at(command_.data, 0, "weight",
                     "times the bytes of a batch is " + number_text(sums[1]) + " in sft, expected at most " +
                         number_text(largest));
    }
    return {sums[0], sums[1], sums[2]};
  }

  void sft_epoch() {
    std::uint64_t const epoch = state_.sft_epochs + 1;
    std::string const name = "sft " + std::to_string(epoch) + "/" + std::to_string(command_.sft_epochs);
    sft_sums training;
    std::vector<double> gradient;
    for_each_batch(training_phase::sft, epoch, name, [&](index_view batch) {
      sft_sums const sums = sft(all_.share(batch));
      training.negative_log_prob += sums.negative_log_prob;
      training.weighted_bytes += sums.weighted_bytes;
      // Divided by the bytes as they are, so that a weight means the same in every batch.
      gradient.resize(batch_.size());
      std::ranges::transform(weight_, gradient.begin(), [&](double weight) { return -weight / sums.bytes; });
      policy_.backward(batch_, {gradient});
      policy_.add_up(all_);
      policy_.update(sft_learning_rate);
    });
    state_.sft_epochs = epoch;
    sft_sums const held_out = sft(all_.share(index_view{split_.held_out()}));
    finish_epoch(
        {training_phase::sft, static_cast<std::uint32_t>(epoch), {.loss = training.mean()}, {.loss = held_out.mean()}});
    auto const text = [](sft_sums const& of) {
      if (!(of.weighted_bytes > 0)) return std::string{"none, no byte has a weight"};
      char number[32];
      std::snprintf(number, sizeof number, "%.4f", of.mean());
      return std::string{number};
    };
    tell(name + ": -log p a byte " + text(training) + ", held out " + text(held_out));
  }

  /// The reference is the policy as it is now. It never changes, so it is asked once, but for what comes together only
  /// in a batch.
  void begin_preference_phase() {
    if (objective_.reads_others()) reference_.emplace(policy_);
    index_list every(candidates_.all().size());
    std::iota(every.begin(), every.end(), std::size_t{0});
    index_view const own = all_.share(index_view{every});
    state_.ref_logp.assign(every.size(), 0);
    if (!own.empty()) policy_.log_probs(own, {std::span{state_.ref_logp}.subspan(own.front(), own.size()), {}});
    all_.sum(state_.ref_logp);
    if constexpr (Policy::is_language_model) policy_.restart_optimizer();
    loss_metrics const before = held_out_metrics();
    finish_epoch({training_phase::preference, 0, {}, before});
    tell("before: held-out " + described(before, known_));
  }

  /// The completions of this rank's records, each under the prompt of the record after its own in the batch, as TRL
  /// has them: `mismatched_` against `batch_`. The last one's next is the first.
  void score_others(index_view batch, index_view records) {
    auto const own = static_cast<std::size_t>(records.data() - batch.data());
    mismatched_.clear();
    for (std::size_t i = own; i < own + records.size(); ++i) {
      std::size_t const before = batch[(i + batch.size() - 1) % batch.size()];
      auto const first = static_cast<std::size_t>(candidates_.offsets()[before]);
      std::size_t const count = data_.records[before].responses.size();
      for (std::size_t k = 0; k < data_.records[batch[i]].responses.size(); ++k)
        mismatched_.push_back(first + k % count);
    }
    kl_logp_.resize(batch_.size());
    ref_kl_logp_.resize(batch_.size());
    policy_.log_probs_of_others(batch_, mismatched_, kl_logp_);
    reference_->log_probs_of_others(batch_, mismatched_, ref_kl_logp_);
  }

  /// Policy and reference score all responses of this rank's records of a batch, and the loss judges those of all
  /// ranks. Leaves the responses in batch_.
  objective::evaluation evaluate(index_view batch) {
    index_view const records = all_.share(batch);
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
    prefopt::unpaired_batch<double> others;
    // A record alone in its batch has no others.
    if (objective_.reads_others() && batch.size() > 1) {
      score_others(batch, records);
      others.kl_logp = kl_logp_;
      others.ref_kl_logp = ref_kl_logp_;
    }
    return objective_.evaluate(records, scores, others);
  }

  loss_metrics held_out_metrics() {
    running_metrics held_out;
    held_out.add(evaluate(split_.held_out()));
    return held_out.mean();
  }

  void preference_epoch() {
    std::uint64_t const epoch = state_.epochs + 1;
    std::string const name = "epoch " + std::to_string(epoch) + "/" + std::to_string(command_.epochs);
    running_metrics training;
    for_each_batch(training_phase::preference, epoch, name, [&](index_view batch) {
      training.add(evaluate(batch));
      policy_.backward(batch_, {objective_.d_logp()});
      policy_.add_up(all_);
      policy_.update(command_.learning_rate);
      objective_.learn_reliability();
    });
    state_.epochs = epoch;
    epoch_metrics const row{training_phase::preference, static_cast<std::uint32_t>(epoch), training.mean(),
                            held_out_metrics()};
    finish_epoch(row);
    tell(name + ": training " + described(row.training, known_) + "; held-out " + described(row.held_out, known_));
  }

  void finish_epoch(epoch_metrics const& row) {
    state_.rows.push_back(row);
    state_.reliability.assign(objective_.reliability().begin(), objective_.reliability().end());
    if (!all_.is_first()) return;
    save_checkpoint(checkpoint_path_, state_, saved_arrays());
    replace_file(metrics_path_, metrics_csv(state_.rows, known_));
  }

  train_command const& command_;
  preference_set const& data_;
  ranks const all_;
  results_folder& folder_;
  objective objective_;
  candidate_list candidates_;
  Policy policy_;
  std::optional<Policy> reference_;  ///< as the policy was at the start, of losses that read completions of others
  comparable_records comparable_;
  holdout_split split_;
  /// Pairs of ranked responses that are left out: with the same text, and all that are the same to the policy.
  std::size_t same_text_pairs_ = 0, same_pairs_ = 0;
  known_metrics known_;
  checkpoint state_;
  progress progress_;
  std::string checkpoint_path_, metrics_path_;
  index_list batch_, mismatched_;
  std::vector<double> logp_, ref_logp_, length_, weight_, kl_logp_, ref_kl_logp_;
};

template <class Policy>
training_result run_trainer(train_command const& command, preference_set const& data, results_folder& folder,
                            ranks const& all) {
  std::optional<trainer<Policy>> made;
  all.together([&] {
    check_fields(data, command.data, loss_of(command.loss));
    made.emplace(command, data, folder, all);
  });
  return made->run();
}

}  // namespace

training_result train(train_command const& command, preference_set const& data, results_folder& folder,
                      ranks const& all) {
  if (command.policy == "linear") return run_trainer<linear_policy>(command, data, folder, all);
  return run_trainer<ngram_policy>(command, data, folder, all);
}
