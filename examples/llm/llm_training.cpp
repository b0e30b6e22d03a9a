#include "llm_training.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <numeric>
#include <optional>
#include <utility>

#include "adamw.hpp"
#include "any_loss.hpp"
#include "checksum.hpp"
#include "data_fields.hpp"
#include "gradient_sum.hpp"
#include "holdout_split.hpp"
#include "input_error.hpp"
#include "learning_rate_schedule.hpp"
#include "llm_checkpoint.hpp"
#include "number_text.hpp"
#include "objective.hpp"
#include "packed_answers.hpp"
#include "pairs_option.hpp"
#include "progress.hpp"
#include "reference_log_probs.hpp"
#include "replace_file.hpp"
#include "running_metrics.hpp"
#include "same_on_every_rank.hpp"
#include "seeded_generator.hpp"
#include "training_setup.hpp"
#include "work_meter.hpp"

namespace {

using record_list = std::vector<std::size_t>;
using record_view = std::span<std::size_t const>;

run_setup llm_setup(llm_command const& command, preference_set const& data, std::string const& model) {
  auto const& lora = command.lora;
  run_setup setup{{"--model", model},
                  {"--data", std::to_string(data.records.size()) + " " + data.noun() + " of checksum " +
                                 std::to_string(data.checksum)},
                  {"--template", command.tokens.as_chat ? "model" : "text"},
                  {"--max-tokens", std::to_string(command.tokens.most)},
                  {"--truncate", command.tokens.truncate ? "given" : "not given"},
                  {"--limit", std::to_string(command.tokens.limit)},
                  {"--head-only", command.head_only ? "given" : "not given"},
                  {"--rank", std::to_string(lora.rank)},
                  {"--lora-alpha", number_text(lora.alpha)},
                  {"--matrices", command.head_only ? "none" : text_of(lora.matrices)},
                  {"--loss", command.loss.name},
                  {"--base", command.loss.base.empty() ? "none" : command.loss.base},
                  {"--pairs", command.loss.kind == loss_kind::pair ? command.pairs : "none"},
                  {"--epochs", std::to_string(command.epochs)},
                  {"--batch", std::to_string(command.batch)},
                  {"--learning-rate", number_text(command.learning_rate)},
                  {"--warm-up", number_text(command.warm_up)},
                  {"--clip", number_text(command.clip)},
                  {"--holdout", number_text(command.holdout)},
                  {"--train-limit", std::to_string(command.train_limit)},
                  {"--seed", std::to_string(command.seed)}};
  for (auto const& [name, value] : command.loss.parameters) setup.emplace_back("--" + name, number_text(value));
  return setup;
}

/// The first `limit` of the records, all if it is 0.
record_list trained_on(record_list const& records, std::size_t limit) {
  auto const count = limit == 0 ? records.size() : std::min(limit, records.size());
  return {records.begin(), records.begin() + static_cast<std::ptrdiff_t>(count)};
}

record_list every_record(preference_set const& data) {
  record_list every(data.records.size());
  std::iota(every.begin(), every.end(), std::size_t{0});
  return every;
}

template <class Policy>
class llm_trainer {
 public:
  llm_trainer(llm_command const& command, token_data const& tokens, Policy& policy, model_identity const& identity,
              results_folder& folder, ranks const& all)
      : command_{command},
        tokens_{tokens},
        data_{tokens.data()},
        all_{all},
        folder_{folder},
        policy_{policy},
        objective_{loss_of(command.loss), pairing_of(command.pairs), data_, {}},
        split_{data_, every_record(data_), command.holdout, command.seed},
        training_{trained_on(split_.training(), command.train_limit)},
        data_checksum_{identity.data},
        gradient_{policy.parameters().size()},
        parameters_{static_cast<Eigen::Index>(policy.parameters().size())},
        optimizer_{parameters_.size(), 0},
        schedule_{command.learning_rate, command.epochs * steps_in_epoch(),
                  static_cast<std::size_t>(command.warm_up * static_cast<double>(command.epochs * steps_in_epoch()))},
        checkpoint_path_{folder.file("checkpoint")},
        metrics_path_{folder.file("metrics.csv")} {
    known_.accuracy = objective_.count_pairs(split_.held_out()) != 0;
    state_.setup = llm_setup(command, data_, identity.model);
  }

  llm_result run() {
    check_same_options();
    std::uint32_t resumed = 0;
    all_.together([&] {
      if (all_.is_first()) take_folder();
      if (command_.resume) resumed = resume();
    });
    check_same_on_every_rank(resumed, "another checkpoint, this one has read " + checkpoint_path_, all_);
    if (all_.is_first()) tell_what_is_done();
    policy_.apply_parameters();
    get_reference();
    policy_.prepare();
    all_.together([&] { clear_folder(); });
    if (state_.rows.empty()) judge_before();

    work_meter meter{remaining_work()};
    while (state_.steps < schedule_.steps && !is_to_stop()) step(meter);
    if (state_.steps < schedule_.steps) {
      tell("stopped after step " + std::to_string(state_.steps) + " of " + std::to_string(schedule_.steps) +
           "; --resume goes on");
      llm_result stopped;
      stopped.is_done = false;
      return stopped;
    }
    return result();
  }

 private:
  std::size_t steps_in_epoch() const { return (training_.size() + command_.batch - 1) / command_.batch; }
  bool is_to_stop() const { return command_.stop_after != 0 && state_.steps >= command_.stop_after; }

  void tell(std::string const& text) {
    if (all_.is_first()) progress_.line(text);
  }

  void check_same_options() const {
    std::string options = command_.resume ? "--resume" : "";
    options += " --stop-after " + std::to_string(command_.stop_after);
    for (auto const& [name, value] : state_.setup) options.append(" ").append(name).append(" ").append(value);
    check_same_on_every_rank(checksum_of(options), "other options or data, this one has " + options, all_);
  }

  void take_folder() {
    if (command_.resume && !std::filesystem::exists(folder_.path())) return;
    if (!folder_.take()) {
      tell("note: the file system of " + folder_.path() +
           " has no locks; a second run in this folder would spoil both");
    }
  }

  /// When nothing can be refused any more.
  void clear_folder() {
    if (command_.resume || !all_.is_first()) return;
    if (folder_.clear()) tell(folder_.path() + ": replaces the results of an earlier run");
  }

  std::vector<std::span<float>> arrays() {
    auto arrays = optimizer_.state();
    arrays.insert(arrays.begin(), policy_.parameters());
    return arrays;
  }

  /// Returns the checkpoint's checksum.
  std::uint32_t resume() {
    auto saved = last_whole<llm_checkpoint_file>(checkpoint_path_, [&](std::string const& note) { tell(note); });
    check_same_setup(saved.state().setup, state_.setup, checkpoint_path_);
    saved.load(arrays());
    state_ = saved.state();
    if (!state_.reliability.empty()) objective_.set_reliability(state_.reliability);
    if (all_.is_first()) replace_file(metrics_path_, step_metrics_csv(state_.rows, known_.accuracy));
    tell("resumes after step " + std::to_string(state_.steps) + " of " + std::to_string(schedule_.steps));
    return saved.checksum();
  }

  void save() {
    saved_ = std::chrono::steady_clock::now();
    state_.reliability.assign(objective_.reliability().begin(), objective_.reliability().end());
    if (!all_.is_first()) return;
    auto const all = arrays();
    save_llm_checkpoint(checkpoint_path_, state_, {all.begin(), all.end()});
    replace_file(metrics_path_, step_metrics_csv(state_.rows, known_.accuracy));
  }

  void tell_what_is_done() {
    for (auto const& note : data_.notes) progress_.line(note);
    for (auto const& note : tokens_.notes()) progress_.line(note);
    progress_.line(description(command_.loss) + ": " + std::to_string(training_.size()) + " " + data_.noun() +
                   " to train on, " + std::to_string(split_.held_out().size()) + " held out, " +
                   std::to_string(policy_.parameters().size()) + " parameters, " + std::to_string(schedule_.steps) +
                   " steps");
    if (!objective_.is_separable()) {
      progress_.line(name_of(objective_.loss()) +
                     " reads more than one record at a time: each step scores all of its "
                     "records before they are trained on");
    }
    for (auto const& note : notes_on_fields(data_, objective_.loss())) progress_.line(note);
    for (auto const& note : split_.notes(data_)) progress_.line(note);
  }

  std::size_t tokens_of(record_view records) const {
    std::size_t sum = 0;
    for (std::size_t const record : records) {
      for (std::size_t i = first_of(record); i < first_of(record + 1); ++i) sum += tokens_.sequences()[i].ids.size();
    }
    return sum;
  }

  /// This rank's part of the records: in a row, and as near as can be of as many tokens as the others'.
  record_view share_of(record_view records) {
    std::vector<double> ends{0};
    for (std::size_t const& record : records) {
      record_list const own = candidates_of({&record, 1});
      packed_answers const packed{sequences_of(own), tokens_of({&record, 1})};
      ends.push_back(ends.back() + static_cast<double>(packed.tokens().ids.size()));
    }
    // The first record whose middle is in that rank's part.
    auto const first = [&](std::size_t rank) {
      double const begin = ends.back() * static_cast<double>(rank) / static_cast<double>(all_.count);
      std::size_t i = 0;
      while (i < records.size() && ends[i] + ends[i + 1] < 2 * begin) ++i;
      return i;
    };
    std::size_t const begin = first(all_.rank),
                      end = all_.rank + 1 == all_.count ? records.size() : first(all_.rank + 1);
    return records.subspan(begin, end - begin);
  }

  double remaining_work() const {
    auto const left = static_cast<double>(schedule_.steps - state_.steps);
    auto const steps = static_cast<double>(std::max<std::size_t>(steps_in_epoch(), 1));
    auto const share = 1 / static_cast<double>(all_.count);
    return share * left / steps *
           (work_meter::of_training * static_cast<double>(tokens_of(training_)) +
            static_cast<double>(tokens_of(split_.held_out())));
  }

  std::size_t first_of(std::size_t record) const {
    return static_cast<std::size_t>(tokens_.candidates().offsets()[record]);
  }

  record_list candidates_of(record_view records) const {
    record_list candidates;
    tokens_.candidates().of(records, candidates);
    return candidates;
  }

  /// The sequences of candidates, for the policy.
  sequence_list sequences_of(std::span<std::size_t const> candidates) {
    list_.clear();
    for (std::size_t const candidate : candidates) list_.push_back(&tokens_.sequences()[candidate]);
    return list_;
  }

  /// Where the candidates of a rank's records lie among those of the batch.
  struct place {
    std::size_t begin, count;
  };
  place place_of(record_view batch, record_view own) const {
    std::size_t begin = 0, count = 0;
    for (auto record = batch.begin(); record != batch.end(); ++record) {
      std::size_t const responses = first_of(*record + 1) - first_of(*record);
      auto const at = static_cast<std::size_t>(record - batch.begin());
      auto const first = static_cast<std::size_t>(own.data() - batch.data());
      if (at < first) begin += responses;
      if (at >= first && at < first + own.size()) count += responses;
    }
    return {begin, count};
  }

  void get_reference() {
    if (!std::filesystem::exists(command_.reference)) tell("computes the reference's log-probs");
    ref_logp_ = reference_log_probs(
        command_.reference, tokens_.candidates(), data_checksum_, all_, [&](std::span<double> logp) {
          policy_.prepare();
          work_meter meter{static_cast<double>(tokens_of(every_record(data_))) / static_cast<double>(all_.count)};
          auto const every = every_record(data_);
          for (std::size_t const i : share_of(every)) {
            record_list const own = candidates_of({&i, 1});
            policy_.reference_log_probs(sequences_of(own), logp.subspan(first_of(i), own.size()));
            meter.add(tokens_of({&i, 1}));
            if (all_.is_first()) progress_.show("reference, " + meter.text(), i, every.size());
          }
        });
  }

  /// What the loss reads of some candidates beside their log-probs.
  struct given_scores {
    std::vector<double> ref_logp, length;
  };
  given_scores given(std::span<std::size_t const> candidates) const {
    given_scores all;
    for (std::size_t const i : candidates) {
      if (objective_.reads_reference()) all.ref_logp.push_back(ref_logp_[i]);
      if (objective_.reads_length()) all.length.push_back(static_cast<double>(answer_length(tokens_.sequences()[i])));
    }
    return all;
  }

  objective::evaluation judge(record_view records, std::span<double const> logp, given_scores const& given,
                              std::span<double const> kl, double denominator = 0) {
    prefopt::list_batch<double> scores{.logp = logp};
    if (!given.ref_logp.empty()) scores.ref_logp = given.ref_logp;
    if (!given.length.empty()) scores.length = given.length;
    prefopt::unpaired_batch<double> others;
    std::vector<double> const none(kl.size());
    if (!kl.empty()) {
      others.kl_logp = kl;
      others.ref_kl_logp = none;
    }
    return objective_.evaluate(records, scores, others, denominator);
  }

  /// The mean log-ratio of the batch's completions, each under the prompt of the record after its own (the last one's next
  /// is the first), once for each of them; nothing unless the loss reads it.
  std::vector<double> log_ratio_of_others(record_view batch, bool is_reference) {
    std::size_t const count = place_of(batch, batch).count;
    if (!objective_.reads_others() || batch.size() < 2) return {};
    std::vector<double> ratios(count);
    if (!is_reference) {
      record_view const own = share_of(batch);
      std::size_t at = place_of(batch, own).begin;
      for (std::size_t const& record : own) {
        auto const next = (static_cast<std::size_t>(&record - batch.data()) + 1) % batch.size();
        std::size_t const prompt = first_of(batch[next]);
        for (std::size_t i = first_of(record); i < first_of(record + 1); ++i, ++at) {
          tokenized_pair const other = tokens_.under_other_prompt(i, prompt);
          tokenized_pair const* const one = &other;
          double logp = 0, reference = 0;
          policy_.log_probs({&one, 1}, {&logp, 1});
          policy_.reference_log_probs({&one, 1}, {&reference, 1});
          ratios[at] = logp - reference;
        }
      }
      all_.sum(ratios);
      check_log_probs(ratios);
    }
    double const mean = std::accumulate(ratios.begin(), ratios.end(), 0.0) / static_cast<double>(count);
    return std::vector<double>(count, mean);
  }

  /// Of the records' candidates, under the policy. With `kl`: also that of each answer to the reference.
  std::vector<double> scored(record_view records, std::string const& what, std::vector<double>* kl = nullptr) {
    record_list const candidates = candidates_of(records);
    std::vector<double> logp(candidates.size());
    if (kl != nullptr) kl->assign(candidates.size(), 0);
    record_view const own = share_of(records);
    std::size_t at = place_of(records, own).begin;
    for (std::size_t const& record : own) {
      std::size_t const count = first_of(record + 1) - first_of(record);
      auto const sequences = sequences_of(record_view{candidates}.subspan(at, count));
      auto const scores = std::span{logp}.subspan(at, count);
      if (kl == nullptr) {
        policy_.log_probs(sequences, scores);
      } else {
        policy_.kl(sequences, scores, std::span{*kl}.subspan(at, count));
      }
      at += count;
      if (all_.is_first()) progress_.show(what, static_cast<std::size_t>(&record - own.data()), own.size());
    }
    all_.sum(logp);
    check_log_probs(logp);
    if (kl != nullptr) all_.sum(*kl);
    return logp;
  }

  objective::evaluation judged(record_view records, std::span<double const> logp, bool is_reference) {
    record_list const candidates = candidates_of(records);
    return judge(records, logp, given(candidates), log_ratio_of_others(records, is_reference));
  }

  static loss_metrics mean_of(objective::evaluation const& seen) {
    running_metrics all;
    all.add(seen);
    return all.mean();
  }

  std::vector<double> reference_of(record_view records) const {
    std::vector<double> logp;
    for (std::size_t const i : candidates_of(records)) logp.push_back(ref_logp_[i]);
    return logp;
  }

  void judge_before() {
    record_view const held_out = split_.held_out();
    state_.rows.push_back({.held_out = mean_of(judged(held_out, reference_of(held_out), true)), .has_held_out = 1});
    tell("before: held-out " + described(state_.rows.back().held_out, known_));
    save();
  }

  std::string remedy() const {
    return "expected a rate below " + number_text(command_.learning_rate) + ", or a --lora-alpha below " +
           number_text(command_.lora.alpha);
  }

  /// A loss would refuse them by their place in a column.
  void check_log_probs(std::span<double const> logp) const {
    if (std::ranges::all_of(logp, [](double of) { return std::isfinite(of); })) return;
    throw input_error{"--learning-rate: a log-prob after step " + std::to_string(state_.steps) + " is not finite, " +
                      remedy()};
  }

  void step(work_meter& meter) {
    std::size_t const epoch = state_.steps / steps_in_epoch(), in_epoch = state_.steps % steps_in_epoch();
    record_list order = training_;
    auto random = seeded_generator(command_.seed, 1, epoch);
    std::ranges::shuffle(order, random);
    std::size_t const begin = in_epoch * command_.batch;
    record_view const batch = record_view{order}.subspan(begin, std::min(command_.batch, order.size() - begin));

    auto const evaluation = forward_and_backward(batch, meter);
    objective_.learn_reliability();
    double const rate = schedule_.after(state_.steps);
    double const norm = gradient_.take(all_, command_.clip);
    if (!std::isfinite(norm)) {
      throw input_error{"--learning-rate: the gradient of step " + std::to_string(state_.steps + 1) +
                        " is not finite, " + remedy()};
    }
    optimizer_.set_learning_rate(static_cast<float>(rate));
    // In an array of Eigen's, see gradient_sum.
    auto const parameters = policy_.parameters();
    std::ranges::copy(parameters, parameters_.begin());
    optimizer_.update(parameters_, gradient_.step());
    std::ranges::copy(parameters_, parameters.begin());
    policy_.apply_parameters();
    ++state_.steps;

    step_metrics row{.step = state_.steps,
                     .epoch = epoch + 1,
                     .training = mean_of(evaluation),
                     .gradient_norm = norm,
                     .learning_rate = rate};
    bool const ends_epoch = state_.steps % steps_in_epoch() == 0;
    if (ends_epoch) {
      score_held_out();
      row.held_out = mean_of(judged(split_.held_out(), held_out_logp_, false));
      row.has_held_out = 1;
      meter.add(tokens_of(share_of(split_.held_out())));
    }
    state_.rows.push_back(row);
    tell_of(row, meter);
    // A checkpoint takes a moment, a step mostly longer.
    bool const is_old = std::chrono::steady_clock::now() - saved_ > std::chrono::seconds{20};
    if (ends_epoch || is_to_stop() || is_old) save();
  }

  void tell_of(step_metrics const& row, work_meter const& meter) {
    std::size_t const tenth = std::max<std::size_t>(schedule_.steps / 10, 1);
    bool const is_told = row.has_held_out != 0 || row.step % tenth == 0;
    if (!is_told) return;
    std::string text = "step " + std::to_string(row.step) + "/" + std::to_string(schedule_.steps) + ": training " +
                       described(row.training, known_);
    if (row.has_held_out != 0) text += "; held-out " + described(row.held_out, known_);
    tell(text + "; " + meter.text());
  }

  /// Leaves the gradient of this rank's records in gradient_.
  objective::evaluation forward_and_backward(record_view batch, work_meter& meter) {
    record_list const candidates = candidates_of(batch);
    record_view const own = share_of(batch);
    auto const kl = log_ratio_of_others(batch, false);
    given_scores const whole = given(candidates);
    std::vector<double> logp, d_logp;
    bool const apart = objective_.is_separable();
    double const denominator = objective_.denominator(batch);
    objective::evaluation evaluation;
    if (!apart) {
      logp = scored(batch, "scores");
      evaluation = judge(batch, logp, whole, kl);
      d_logp.assign(objective_.d_logp().begin(), objective_.d_logp().end());
    } else {
      logp.resize(candidates.size());
    }
    std::size_t at = place_of(batch, own).begin, done = 0;
    for (std::size_t const& record : own) {
      std::size_t const count = first_of(record + 1) - first_of(record);
      auto const these = record_view{candidates}.subspan(at, count);
      auto const judge_record = [&](std::span<double const> scores) -> std::span<double const> {
        if (!apart) return std::span{d_logp}.subspan(at, count);
        std::span<double const> const own_kl = kl.empty() ? kl : std::span{kl}.subspan(at, count);
        check_log_probs(scores);
        judge({&record, 1}, scores, given(these), own_kl, denominator);
        return objective_.d_logp();
      };
      policy_.log_probs_and_gradient(sequences_of(these), std::span{logp}.subspan(at, count), judge_record);
      gradient_.add(policy_.gradient());
      meter.add(tokens_of({&record, 1}), work_meter::of_training);
      if (all_.is_first()) {
        progress_.show(
            "step " + std::to_string(state_.steps + 1) + "/" + std::to_string(schedule_.steps) + ", " + meter.text(),
            state_.steps * command_.batch + ++done, schedule_.steps * command_.batch);
      }
      at += count;
    }
    if (apart) {
      all_.sum(logp);
      evaluation = judge(batch, logp, whole, kl);
    }
    return evaluation;
  }

  /// How often the mean log-prob of a token prefers the better of two answers of a held-out record; a tie is half. NaN where
  /// no record has two.
  double mean_accuracy(std::span<double const> logp) const {
    double right = 0, pairs = 0;
    std::size_t at = 0;
    for (std::size_t const record : split_.held_out()) {
      auto const& rewards = data_.records[record].rewards;
      auto const mean = [&](std::size_t i) {
        return logp[at + i] / static_cast<double>(answer_length(tokens_.sequences()[first_of(record) + i]));
      };
      for (std::size_t i = 0; i < rewards.size(); ++i) {
        for (std::size_t j = 0; j < rewards.size(); ++j) {
          if (!(rewards[i] > rewards[j])) continue;
          ++pairs;
          right += mean(i) > mean(j) ? 1 : mean(i) == mean(j) ? 0.5 : 0;
        }
      }
      at += rewards.size();
    }
    return pairs == 0 ? std::numeric_limits<double>::quiet_NaN() : right / pairs;
  }

  /// At the end, also how far the policy is from the reference.
  void score_held_out() {
    bool const is_last = state_.steps == schedule_.steps;
    held_out_logp_ = scored(split_.held_out(), "held out", is_last ? &held_out_kl_ : nullptr);
  }

  double kl_a_token() const {
    double answer_tokens = 0;
    for (std::size_t const i : candidates_of(split_.held_out())) {
      answer_tokens += static_cast<double>(answer_length(tokens_.sequences()[i]));
    }
    return std::accumulate(held_out_kl_.begin(), held_out_kl_.end(), 0.0) / answer_tokens;
  }

  llm_result result() {
    if (held_out_kl_.empty()) score_held_out();
    record_list counted = split_.held_out();
    std::erase_if(counted, [&](std::size_t record) { return objective_.count_pairs({&record, 1}) == 0; });
    llm_result result{.before = state_.rows.front().held_out,
                      .after = state_.rows.back().held_out,
                      .mean_accuracy = {mean_accuracy(reference_of(split_.held_out())), mean_accuracy(held_out_logp_)},
                      .kl = kl_a_token(),
                      .counted = objective_.counted(),
                      .pairs = objective_.count_pairs(counted),
                      .groups = counted.size(),
                      .prompts = split_.prompts_of(counted),
                      .trials = split_.independent_records(counted),
                      .reliability = {objective_.reliability().begin(), objective_.reliability().end()},
                      .held_out = split_.held_out(),
                      .held_out_logp = held_out_logp_};
    progress_.clear();
    return result;
  }

  llm_command const& command_;
  token_data const& tokens_;
  preference_set const& data_;
  ranks const all_;
  results_folder& folder_;
  Policy& policy_;
  objective objective_;
  holdout_split split_;
  known_metrics known_;
  record_list training_;
  prefopt::data_checksum data_checksum_;
  gradient_sum gradient_;
  Eigen::VectorXf parameters_;
  adamw optimizer_;
  learning_rate_schedule schedule_;
  std::string checkpoint_path_, metrics_path_;
  llm_checkpoint state_;
  progress progress_;
  std::chrono::steady_clock::time_point saved_{};
  std::vector<double> ref_logp_, held_out_logp_, held_out_kl_;
  std::vector<tokenized_pair const*> list_;
};

template <class Policy>
llm_result run_llm_trainer(llm_command const& command, token_data const& data, Policy& policy,
                           model_identity const& identity, results_folder& folder, ranks const& all) {
  std::optional<llm_trainer<Policy>> made;
  all.together([&] { made.emplace(command, data, policy, identity, folder, all); });
  return made->run();
}

}  // namespace

llm_result train_llm(llm_command const& command, token_data const& data, adapter_policy& policy,
                     model_identity const& identity, results_folder& folder, ranks const& all) {
  return run_llm_trainer(command, data, policy, identity, folder, all);
}

llm_result train_llm(llm_command const& command, token_data const& data, head_policy& policy,
                     model_identity const& identity, results_folder& folder, ranks const& all) {
  return run_llm_trainer(command, data, policy, identity, folder, all);
}

void check_llm_training(llm_command const& command, token_data const& data) {
  check_fields(data.data(), command.data, loss_of(command.loss));
  objective asked{loss_of(command.loss), pairing_of(command.pairs), data.data(), {}};
  holdout_split const split{data.data(), every_record(data.data()), command.holdout, command.seed};
  record_list const training = trained_on(split.training(), command.train_limit);
  for (auto const* part : {&training, &split.held_out()}) {
    if (asked.count_examples(*part) != 0) continue;
    throw input_error{"--seed: " + std::to_string(command.seed) + " leaves no response that is better than another " +
                      (part == &split.held_out() ? "held out" : "for training") + ", expected at least one pair"};
  }
  if (asked.reads_others() && command.batch < 2) {
    throw input_error{"--batch: " + name_of(asked.loss()) +
                      " takes its reference point from the other records of a batch, got 1, expected 2 or more"};
  }
}
