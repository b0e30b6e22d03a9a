// A trainer of one's own on top of prefopt: a small language model over bytes, its forward and backward pass by hand.
// The calls of `evaluate` stand in `judge`: from hidden states and output matrix, or from logits, to the loss and
// to the gradients by them.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <prefopt/adapter/eigen_product.hpp>
#include <prefopt/prefopt.hpp>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "adamw.hpp"
#include "byte_model.hpp"
#include "command_line.hpp"
#include "data_fields.hpp"
#include "further_members.hpp"
#include "holdout_split.hpp"
#include "input_error.hpp"
#include "loss_options.hpp"
#include "number_option.hpp"
#include "preference_file.hpp"
#include "run_program.hpp"
#include "standard_output.hpp"

namespace {

constexpr char introduction[] =
    "Trains a small language model over bytes on preference pairs, and shows how a trainer calls prefopt: its hidden "
    "states and output matrix go in, loss and gradients come out, and the logits never exist whole.";

constexpr char examples[] = R"(
The table has, for each epoch, the mean loss in training, and the loss and the accuracy (the share of pairs ranked right)
on the pairs of the fifth of the prompts that is held out. Epoch 0 is the untrained model, which is the reference of the
losses that have one. --full-logits makes the same numbers, but for rounding.

Examples:
  prefopt_logits
  prefopt_logits --full-logits --seed 3
  prefopt_logits --loss simpo --beta 2 --epochs 4)";

constexpr std::size_t pairs_in_step = 16, memory_budget = std::size_t{1} << 20;

struct settings {
  std::string data = PREFOPT_BUNDLED_PREFERENCES;
  std::size_t epochs = 4;
  std::uint64_t seed = 1;
  bool full_logits = false;
};

/// Pairs as the library takes them: the sequences are all that were chosen and then, in this order, the rejected.
struct pair_rows {
  text_rows texts;
  std::vector<float> weight, margin, label;
  std::array<std::vector<float>, further_columns> further;

  pair_rows(preference_set const& data, std::span<std::size_t const> records) {
    for (std::size_t response = 0; response < 2; ++response) {
      for (std::size_t const i : records) texts.add(data.records[i].prompt, data.records[i].responses[response]);
    }
    for (std::size_t const i : records) {
      weight.push_back(static_cast<float>(data.records[i].weight));
      margin.push_back(static_cast<float>(data.records[i].margin));
      label.push_back(static_cast<float>(data.records[i].label));
      for (std::size_t c = 0; c < further_columns; ++c) {
        further[c].push_back(static_cast<float>(further_of(data, data.records[i], c)));
      }
    }
  }
};

/// The gradients by what the model gave.
struct head_gradients {
  row_major_matrix hidden, output;
};

/// Loss and metrics of the pairs, and the gradients unless `d` is null.
prefopt::report judge(prefopt::any_pair_loss const& loss, preference_set const& data, byte_model const& model,
                      row_major_matrix const& hidden, byte_model const& reference, pair_rows const& pairs,
                      bool full_logits, head_gradients* d) {
  row_major_matrix const ref_hidden = reference.hidden(pairs.texts);
  prefopt::token_rows const tokens{
      .labels = pairs.texts.labels, .offsets = pairs.texts.offsets, .ignore_index = text_rows::ignored};
  prefopt::policy_pairs<float> batch;
  if (data.has_weight && reads_weight(loss)) batch.weight = pairs.weight;
  if (loss.reads(prefopt::columns::margin)) batch.margin = pairs.margin;
  if (loss.reads(prefopt::columns::label)) batch.label = pairs.label;
  for (std::size_t c = 0; c < further_columns; ++c) {
    if (gives_further(data, loss, c)) batch.*further_members_of<prefopt::policy_pairs<float>>[c] = pairs.further[c];
  }
  if (d != nullptr) {
    d->hidden.resize(hidden.rows(), hidden.cols());
    d->output.resize(model.output.rows(), model.output.cols());
  }
  auto const evaluated = [&](auto const& trained, auto const& frozen) {
    if (!loss.reads(prefopt::columns::reference)) return prefopt::evaluate(loss, trained, batch);
    return prefopt::evaluate(loss, trained, frozen, batch);
  };

  if (!full_logits) {
    using policy = prefopt::linear_policy<float, prefopt::eigen_product>;
    policy trained{
        .head = {.hidden = hidden, .weight = model.output}, .tokens = tokens, .memory_budget = memory_budget};
    if (d != nullptr) trained.gradients = {.hidden = d->hidden, .weight = d->output};
    policy const frozen{
        .head = {.hidden = ref_hidden, .weight = reference.output}, .tokens = tokens, .memory_budget = memory_budget};
    return evaluated(trained, frozen);
  }

  row_major_matrix logits = hidden * model.output.transpose();
  row_major_matrix const ref_logits = ref_hidden * reference.output.transpose();
  prefopt::logit_policy<float> trained{.logits = logits, .tokens = tokens};
  if (d != nullptr) trained.d_logits = logits;  // in place
  prefopt::logit_policy<float> const frozen{.logits = ref_logits, .tokens = tokens};
  prefopt::report const seen = evaluated(trained, frozen);
  if (d != nullptr) {
    d->hidden.noalias() = logits * model.output;
    d->output.noalias() = logits.transpose() * hidden;
  }
  return seen;
}

std::string train(settings const& settings, prefopt::any_pair_loss const& loss, preference_set const& data) {
  std::mt19937_64 random{settings.seed};
  holdout_split const split{data, random};
  std::vector<std::size_t> order = split.training();
  std::span<std::size_t> const training{order};
  pair_rows const held_out{data, split.held_out()};

  byte_model model{random};
  byte_model const reference = model;
  constexpr float learning_rate = 0.003F;
  adamw embedding_steps{model.embedding.size(), learning_rate}, output_steps{model.output.size(), learning_rate};
  auto const step = [](adamw& steps, row_major_matrix& weights, row_major_matrix const& gradient) {
    steps.update(Eigen::VectorXf::Map(weights.data(), weights.size()),
                 Eigen::VectorXf::Map(gradient.data(), gradient.size()));
  };

  std::string table = "epoch  training loss  held-out loss  held-out accuracy\n";
  for (std::size_t epoch = 0; epoch <= settings.epochs; ++epoch) {
    double sum = 0, weight = 0;
    std::ranges::shuffle(training, random);
    for (std::size_t begin = 0; epoch != 0 && begin < training.size(); begin += pairs_in_step) {
      pair_rows const batch{data, training.subspan(begin, std::min(pairs_in_step, training.size() - begin))};
      row_major_matrix const hidden = model.hidden(batch.texts);
      head_gradients d;
      auto const seen = judge(loss, data, model, hidden, reference, batch, settings.full_logits, &d);
      step(embedding_steps, model.embedding, embedding_gradient(batch.texts, hidden, d.hidden));
      step(output_steps, model.output, d.output);
      sum += seen.loss * seen.weight;
      weight += seen.weight;
    }
    auto const seen =
        judge(loss, data, model, model.hidden(held_out.texts), reference, held_out, settings.full_logits, nullptr);
    char line[128];
    char before[32] = "";
    if (epoch != 0) std::snprintf(before, sizeof before, "%.4f", weight > 0 ? sum / weight : 0);
    std::snprintf(line, sizeof line, "%5zu  %13s  %13.4f  %17.3f\n", epoch, before, seen.loss, seen.accuracy);
    table += line;
  }
  return table;
}

int run(int argc, char** argv) {
  settings settings;
  CLI::App app{introduction, "prefopt_logits"};
  app.footer(examples);
  app.add_option("--data", settings.data, "pairs as prefopt_train takes them; by default the bundled ones")
      ->type_name("FILE");
  loss_options const losses{app, "a loss of pairs, see prefopt_train --help; by default dpo"};
  app.add_flag("--full-logits", settings.full_logits,
               "the trainer makes all logits of a batch, and the gradient takes their place");
  number_option epochs{app, "--epochs", "passes over the pairs"};
  epochs.option().type_name("N")->default_str(std::to_string(settings.epochs));
  number_option seed{app, "--seed", "of the weights, of which pairs are held out, and of their order"};
  seed.option().type_name("S")->default_str(std::to_string(settings.seed));
  if (!parse_command_line(app, argc, argv)) return 0;
  epochs.whole<std::size_t>(settings.epochs, 0, 1000);
  seed.whole<std::uint64_t>(settings.seed, 0, std::numeric_limits<std::uint64_t>::max());

  auto const choice = losses.chosen("dpo", loss_kind::pair);
  if (choice.kind != loss_kind::pair)
    throw input_error{"--loss: " + choice.name +
                      (choice.kind == loss_kind::list ? " is a list loss" : " is a loss of single completions") +
                      ", expected one of pairs"};
  auto const loss = make_pair_loss(choice);
  if (loss.needs(prefopt::columns::reliability)) {
    throw input_error{"--loss: " + loss.name() + " learns whom to trust, which prefopt_train shows"};
  }
  preference_set const data = read_preferences(settings.data);
  if (data.has_completions) {
    auto const alone = std::ranges::find(data.records, true, &preference::is_completion);
    throw error_at(settings.data, alone->line, "completion", "stands alone, expected pairs");
  }
  if (data.has_ranked) throw error_at(settings.data, 0, "responses", "got ranked answers, expected pairs");
  if (data.records.size() < 5) {
    throw error_at(settings.data, 0, "",
                   "got " + std::to_string(data.records.size()) + (data.records.size() == 1 ? " pair" : " pairs") +
                       ", expected 5 or more");
  }
  check_fields(data, settings.data, loss);
  for (auto const& note : notes_on_fields(data, loss)) std::fprintf(stderr, "%s\n", note.c_str());
  write_standard_output(train(settings, loss, data));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return run_program("prefopt_logits", [&] { return run(argc, argv); });
}
