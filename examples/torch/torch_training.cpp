#include "torch_training.hpp"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <prefopt/train/reference_file.hpp>
#include <random>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "byte_model.hpp"
#include "data_fields.hpp"
#include "holdout_split.hpp"
#include "number_text.hpp"
#include "preference_loss.hpp"
#include "progress.hpp"

namespace {

constexpr double allowed_difference = 1e-6;

using index_list = std::vector<std::size_t>;
using index_view = std::span<std::size_t const>;

/// Sums over batches.
struct mean_loss {
  double sum = 0, weight = 0;
  void add(double loss, double of_weight) {
    sum += loss * of_weight;
    weight += of_weight;
  }
  [[nodiscard]] double value() const { return weight > 0 ? sum / weight : 0; }
};

class trainer {
 public:
  trainer(torch_settings const& wanted, loss_choice const& choice, preference_set const& data)
      : settings_{wanted},
        choice_{choice},
        loss_{loss_of(choice), data},
        texts_{data},
        random_{wanted.seed},
        model_{made_from(wanted.seed)},
        optimizer_{model_.parameters(), wanted.learning_rate} {
    holdout_split const split{data, random_};
    held_out_ = split.held_out();
    training_ = split.training();
    notes_ = split.notes(data);
    imitated_.assign(texts_.best().begin(), texts_.best().end());
    for (std::size_t i = 0; i < imitated_.size(); ++i) {
      if (favours_rejected(loss_.loss, data, i)) imitated_[i] = texts_.offsets()[i] + 1;
    }
  }

  std::string run() {
    show_.line(description(choice_) + ": " + std::to_string(training_.size()) + " " + loss_.data.noun() +
               " to train on, " + std::to_string(held_out_.size()) + " held out");
    for (auto const& note : notes_) show_.line(note);
    for (auto const& note : notes_on_fields(loss_.data, loss_.loss)) show_.line(note);
    for (std::uint64_t epoch = 1; epoch <= settings_.sft_epochs; ++epoch) learn_best(epoch);
    if (reads(loss_.loss, prefopt::columns::reference)) make_reference();
    compare_with_autograd();

    std::string table = "epoch  training loss  held-out loss  held-out accuracy\n";
    auto const row = [&](std::uint64_t epoch, std::string const& training, prefopt::report const& seen) {
      char line[128];
      std::snprintf(line, sizeof line, "%5llu  %13s  %13.4f  %17.3f\n", static_cast<unsigned long long>(epoch),
                    training.c_str(), seen.loss, seen.accuracy);
      table += line;
    };
    prefopt::report const before = on_held_out();
    row(0, "", before);
    prefopt::report after = before;
    for (std::uint64_t epoch = 1; epoch <= settings_.epochs; ++epoch) {
      mean_loss seen;
      for_each_batch("epoch " + std::to_string(epoch), [&](index_view records) {
        record_columns const columns{loss_.data, texts_, records};
        auto const judged = loss_(columns, log_probs(columns.candidates), reference_);
        step(judged.loss);
        seen.add(judged.report.loss, judged.report.weight);
      });
      after = on_held_out();
      char training[32];
      std::snprintf(training, sizeof training, "%.4f", seen.value());
      row(epoch, training, after);
    }
    show_.clear();
    char last[128];
    std::snprintf(last, sizeof last, "\nloss %.4f -> %.4f, held-out accuracy %.3f -> %.3f\n", before.loss, after.loss,
                  before.accuracy, after.accuracy);
    return table + last;
  }

 private:
  static byte_model made_from(std::uint64_t seed) {
    torch::manual_seed(seed);
    return {};
  }

  /// Calls f(records) for the training records, a batch after the other, in a new order.
  template <class F>
  void for_each_batch(std::string const& what, F const& f) {
    std::ranges::shuffle(training_, random_);
    for (std::size_t begin = 0; begin < training_.size(); begin += settings_.batch) {
      show_.show(what, begin, training_.size());
      f(index_view{training_}.subspan(begin, std::min(settings_.batch, training_.size() - begin)));
    }
  }

  [[nodiscard]] at::Tensor candidates_of(index_view records) const {
    return record_columns{loss_.data, texts_, records}.candidates;
  }

  byte_batch read(at::Tensor const& candidates) const {
    std::vector<candidate> chosen;
    auto const* const index = candidates.data_ptr<std::int64_t>();
    for (std::int64_t i = 0; i < candidates.size(0); ++i) {
      chosen.push_back(texts_.all()[static_cast<std::size_t>(index[i])]);
    }
    return read_texts(chosen);
  }

  prefopt::torch_sequences log_probs(at::Tensor const& candidates) {
    auto const [bytes, labels] = read(candidates);
    return prefopt::torch_log_probs({.logits = model_.logits(bytes), .labels = labels});
  }

  /// Of any number of candidates, without gradients.
  prefopt::torch_sequences log_probs_in_parts(at::Tensor const& candidates) {
    torch::NoGradGuard const no_gradient;
    std::vector<at::Tensor> log_prob{torch::empty({0})}, length{torch::empty({0})};
    for (at::Tensor const& part : candidates.split(32)) {
      auto const seen = log_probs(part);
      log_prob.push_back(seen.log_prob);
      length.push_back(seen.length);
    }
    return {torch::cat(log_prob), torch::cat(length)};
  }

  void step(at::Tensor const& loss) {
    optimizer_.zero_grad();
    loss.backward();
    optimizer_.step();
  }

  /// Minimizes -log p a byte of each record's best answer, times its weight.
  void learn_best(std::uint64_t epoch) {
    for_each_batch("sft epoch " + std::to_string(epoch), [&](index_view records) {
      std::vector<std::int64_t> best;
      for (std::size_t const i : records) best.push_back(imitated_[i]);
      auto const [log_prob, length] = log_probs(torch::tensor(best, at::kLong));
      at::Tensor const weight = record_columns{loss_.data, texts_, records}.weight;
      step(-(weight * log_prob).sum() / length.sum());
    });
  }

  /// Of every candidate under the model as it is now.
  void make_reference() {
    prefopt::data_checksum checksum;
    checksum.add(settings_.sft_name);
    for (auto const& [prompt, completion] : texts_.all()) checksum.add(prompt).add(completion);
    checksum.add(texts_.offsets()).add(std::span<std::int64_t const>{imitated_});  // they have been learnt
    if (loss_.data.has_weight) {
      for (auto const& record : loss_.data.records) checksum.add(number_text(record.weight));
    }
    std::string const& path = settings_.reference;
    if (!path.empty() && std::filesystem::exists(path)) {
      prefopt::list_reference_file<float> const file{path, checksum};
      auto const values = file.logp();
      reference_ = torch::tensor(at::ArrayRef<float>{values.data(), values.size()});
      show_.line("the reference's log-probs are those in " + path);
      tell_of_other_rounding();
      return;
    }
    auto const all = static_cast<std::int64_t>(texts_.all().size());
    show_.show("reference", 0, 1);
    reference_ = torch::empty({all});
    // The held-out ones in the parts in which they are judged: a product of other rows may round otherwise, and the
    // policy would win or lose against itself.
    for (auto const* const records : {&held_out_, &training_}) {
      at::Tensor const candidates = candidates_of(*records);
      reference_.index_copy_(0, candidates, log_probs_in_parts(candidates).log_prob);
    }
    if (path.empty()) return;
    prefopt::write_list_reference_file<float>(path, {reference_.data_ptr<float>(), static_cast<std::size_t>(all)},
                                              texts_.offsets(), checksum);
    show_.line("the reference's log-probs are kept in " + path);
  }

  /// A machine that rounds otherwise has learnt a slightly other model, which wins and loses against the kept one.
  void tell_of_other_rounding() {
    at::Tensor const candidates = candidates_of(held_out_);
    at::Tensor const own = log_probs_in_parts(candidates).log_prob, kept = reference_.index_select(0, candidates);
    auto const difference = (own - kept).abs().max().item<double>();
    if (difference == 0) return;
    char text[128];
    std::snprintf(text, sizeof text,
                  "they differ from this model's by up to %.1e: the accuracy of epoch 0 need not be 0.500", difference);
    show_.line(text);
  }

  void compare_with_autograd() {
    record_columns const columns{loss_.data, texts_,
                                 index_view{training_}.first(std::min(settings_.batch, training_.size()))};
    auto const [bytes, labels] = read(columns.candidates);
    auto const [log_prob, gradient, knows_formula] =
        difference_from_autograd(loss_, choice_, columns, model_.logits(bytes), labels, reference_);
    char text[160];
    std::snprintf(text, sizeof text, "prefopt and torch's autograd%s differ by %.1e in log-probs, %.1e in gradients",
                  knows_formula ? "" : " behind the loss", log_prob, gradient);
    if (!(log_prob <= allowed_difference && gradient <= allowed_difference)) throw std::runtime_error{text};
    show_.line(text);
  }

  prefopt::report on_held_out() {
    show_.show("held out", 0, 1);
    torch::NoGradGuard const no_gradient;
    record_columns const columns{loss_.data, texts_, held_out_};
    return loss_(columns, log_probs_in_parts(columns.candidates), reference_).report;
  }

  torch_settings settings_;
  loss_choice choice_;
  preference_loss loss_;
  candidate_list texts_;
  std::mt19937_64 random_;
  byte_model model_;
  torch::optim::Adam optimizer_;
  index_list training_, held_out_;
  std::vector<std::int64_t> imitated_;  ///< of each record, the better candidate
  std::vector<std::string> notes_;
  at::Tensor reference_;
  progress show_;
};

}  // namespace

std::string train(torch_settings const& settings, loss_choice const& choice, preference_set const& data) {
  // The matrices are too small for more, and so the numbers do not depend on how many processors there are.
  at::set_num_threads(1);
  return trainer{settings, choice, data}.run();
}
