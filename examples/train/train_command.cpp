#include "train_command.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "input_error.hpp"
#include "number_text.hpp"
#include "pair_losses.hpp"

namespace {

struct policy_defaults {
  std::string_view policy, loss;
  std::uint64_t epochs, sft_epochs;
  std::size_t batch;
  double learning_rate;
};

constexpr policy_defaults defaults[] = {
    {"ngram", "dpo", 4, 2, 16, 0.02},
    {"linear", "bradley_terry", 8, 0, 32, 0.05},
};

constexpr int most = 1'000'000;  ///< of whatever is counted

constexpr char introduction[] =
    "Trains a policy on pairs of answers, one of which people liked better, and tells how well it then ranks pairs "
    "that it has not seen. A seeded part of the pairs is held out for that.";

constexpr char manual[] = R"(Data: one JSON object a line, plain or gzip.
  {"prompt": "...", "chosen": "...", "rejected": "..."}   without "prompt", what both begin with is the prompt, up to the
  last "\n\nAssistant:" if there is one (the form of HH-RLHF). Optional: "weight" (a number >= 0 that multiplies the pair's
  loss), "margin" (for bradley_terry), "label" (for labelled: probability that chosen is the better one), "annotator" (for
  lcpo: a name or a number). A field that the loss does not read is named and left alone.

Policies:
  ngram    a language model over bytes; first fitted to the chosen answers (sft), then trained by the loss. The reference
           of the losses that have one is the model as sft left it.
  linear   a reward model over words and pairs of words, made for bradley_terry. The reference is the untrained model,
           whose rewards are all 0. Rewards have no length: simpo, ipo_mean and ln_dpo need ngram.

Results in DIR: metrics.csv (a row an epoch), curves.png, checkpoint, with lcpo reliability.csv. --resume goes on from the
checkpoint of the same run, with the same numbers as if it had never been stopped; more --epochs may be asked for.

Losses, with their parameters and defaults (a modifier needs --base and takes the parameters of both).
u = chosen - rejected, h = u less the same of the reference, mean: each log-prob divided by its completion's length.
)";

constexpr char examples[] = R"(
Examples:
  prefopt_train
  prefopt_train --loss simpo --beta 2 --gamma 0.5 --data preferences.jsonl.gz
  prefopt_train --loss lcpo --base dpo --beta 0.1 --epochs 8 --out run-lcpo
  prefopt_train --policy linear --data preferences.jsonl)";

bool has_parameter(prefopt::pair_loss_card const& loss, std::string_view name) {
  return std::ranges::find(loss.parameters, name, &prefopt::parameter_card::name) != loss.parameters.end();
}

std::string losses_text() {
  std::string text;
  for (auto const& loss : prefopt::pair_loss_cards()) {
    std::string const name{loss.card.name};
    text.append("  ").append(name).append(name.size() < 15 ? 15 - name.size() : 1, ' ').append(loss.card.formula);
    if (!loss.parameters.empty()) text.append("\n                ");
    for (auto const& parameter : loss.parameters) {
      text.append(" --").append(parameter.name).append(" ").append(number_text(parameter.standard));
      text.append(" (").append(parameter.valid.text()).append(")");
    }
    text.append("\n");
  }
  return text;
}

/// The names of all parameters, each with the losses that have it.
std::vector<std::pair<std::string, std::string>> parameters_of_losses() {
  std::vector<std::pair<std::string, std::string>> parameters;
  for (auto const& first : prefopt::pair_loss_cards()) {
    for (auto const& parameter : first.parameters) {
      std::string const name{parameter.name};
      if (std::ranges::find(parameters, name, [](auto const& known) { return known.first; }) != parameters.end())
        continue;
      std::string losses;
      for (auto const& loss : prefopt::pair_loss_cards()) {
        if (has_parameter(loss, name)) losses.append(losses.empty() ? "of " : ", ").append(loss.card.name);
      }
      parameters.emplace_back(name, losses);
    }
  }
  return parameters;
}

/// The parameters of the loss and of its base: as given, otherwise their defaults.
prefopt::parameter_values completed(train_command const& command, prefopt::parameter_values const& given) {
  prefopt::parameter_values all;
  for (auto const& loss : prefopt::pair_loss_cards()) {
    if (loss.card.name != command.loss && loss.card.name != command.base) continue;
    for (auto const& parameter : loss.parameters) {
      std::string const name{parameter.name};
      auto const is_it = [&](auto const& value) { return value.first == name; };
      auto const found = std::ranges::find_if(given, is_it);
      if (std::ranges::none_of(all, is_it))
        all.emplace_back(name, found == given.end() ? parameter.standard : found->second);
    }
  }
  return all;
}

/// The set that comes with the project: beside the sources, or where it is installed relative to the program.
std::string bundled_data() {
  std::error_code error;
  auto const program = std::filesystem::read_symlink("/proc/self/exe", error);
  auto const installed = program.parent_path().parent_path() / "share" / "prefopt" / "preferences.jsonl";
  for (std::filesystem::path const& path : {std::filesystem::path{PREFOPT_BUNDLED_PREFERENCES}, installed}) {
    if (std::filesystem::exists(path, error)) return path.string();
  }
  throw input_error{"the bundled preferences are not at " PREFOPT_BUNDLED_PREFERENCES " nor at " + installed.string() +
                    "; name a file with --data"};
}

/// A reward is not a log-probability, so not every loss makes sense of it.
void check_linear_policy(train_command const& command, prefopt::any_pair_loss const& loss) {
  if (loss.reads(prefopt::columns::length)) {
    throw input_error{"--loss: " + loss.name() +
                      " reads lengths, and the rewards of --policy linear have none; use --policy ngram"};
  }
  for (auto const& [name, value] : command.parameters) {
    if (name == "sft" && value > 0) {
      throw input_error{
          "--sft: got " + number_text(value) +
          ", expected 0 with --policy linear: without log-probs there is nothing to fit; use --policy ngram"};
    }
  }
}

}  // namespace

std::optional<train_command> parse_train_command(int argc, char** argv) {
  train_command command;
  CLI::App app{introduction, "prefopt_train"};
  app.footer([] { return manual + losses_text() + examples; });
  app.allow_extras();  // reported below, with what was expected

  app.add_option("--data", command.data,
                 "JSON lines, plain or .gz; the default is a small set that comes with the project")
      ->type_name("FILE");
  app.add_option("--policy", command.policy, "what is trained")
      ->type_name("ngram|linear")
      ->default_val("ngram")
      ->check(CLI::IsMember({"ngram", "linear"}).description(""));
  auto const* const loss_option =
      app.add_option("--loss", command.loss, "see below; the default is dpo, for --policy linear bradley_terry")
          ->type_name("NAME");
  app.add_option("--base", command.base, "the loss that a modifier modifies")->type_name("NAME");
  auto const* const epochs =
      app.add_option("--epochs", command.epochs, "passes over the pairs; by default 4, for --policy linear 8")
          ->type_name("N")
          ->check(CLI::Range(0, most).description(""));
  auto const* const sft_epochs = app.add_option("--sft-epochs", command.sft_epochs,
                                                "of ngram: passes over the chosen answers before that; by default 2")
                                     ->type_name("N")
                                     ->check(CLI::Range(0, most).description(""));
  auto const* const batch =
      app.add_option("--batch", command.batch, "pairs in a step; by default 16, for --policy linear 32")
          ->type_name("N")
          ->check(CLI::Range(1, most).description(""));
  auto const* const learning_rate =
      app.add_option("--learning-rate", command.learning_rate, "of AdaGrad; by default 0.02, for --policy linear 0.05")
          ->type_name("X");
  app.add_option("--holdout", command.holdout, "the part of the pairs that is held out")
      ->type_name("F")
      ->default_val(0.2);
  app.add_option("--seed", command.seed, "decides which pairs are held out, and the order of the others")
      ->type_name("S")
      ->default_val(1)
      ->check(CLI::Validator{CLI::NonNegativeNumber}.description(""));
  app.add_option("--out", command.out, "the folder for the results")->type_name("DIR")->default_val("prefopt-run");
  app.add_flag("--resume", command.resume, "goes on from the last checkpoint in DIR");

  auto const parameters = parameters_of_losses();
  std::vector<double> values(parameters.size());
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    auto const& [name, losses] = parameters[i];
    app.add_option("--" + name, values[i], losses)->type_name("X")->group("Parameters of the losses");
  }

  try {
    app.parse(argc, argv);
  } catch (CLI::Success const& answered) {
    app.exit(answered);
    return {};
  } catch (CLI::ParseError const& error) {
    throw input_error{error.what()};
  }

  auto const& standard = *std::ranges::find(defaults, command.policy, &policy_defaults::policy);
  if (loss_option->count() == 0) command.loss = standard.loss;
  if (epochs->count() == 0) command.epochs = standard.epochs;
  if (sft_epochs->count() == 0) command.sft_epochs = standard.sft_epochs;
  if (batch->count() == 0) command.batch = standard.batch;
  if (learning_rate->count() == 0) command.learning_rate = standard.learning_rate;

  prefopt::make_pair_loss(command.loss, {}, command.base);  // complains about the names before the parameters
  if (app.remaining_size() != 0) {
    std::string known;
    for (auto const& parameter : completed(command, {})) known += " --" + parameter.first;
    throw input_error{app.remaining().front() + ": unknown argument; " + command.loss +
                      (known.empty() ? " has no parameters" : " has the parameters" + known) +
                      ", and --help shows the other options"};
  }
  prefopt::parameter_values given;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    auto const& name = parameters[i].first;
    if (app.count("--" + name) != 0) given.emplace_back(name, values[i]);
  }
  auto const loss = prefopt::make_pair_loss(command.loss, given, command.base);
  command.parameters = completed(command, given);

  if (!(command.holdout > 0 && command.holdout < 1)) {
    throw input_error{"--holdout: got " + number_text(command.holdout) + ", expected a number between 0 and 1"};
  }
  if (!(command.learning_rate > 0 && command.learning_rate <= 1e6)) {
    throw input_error{"--learning-rate: got " + number_text(command.learning_rate) + ", expected a number > 0"};
  }
  if (command.policy == "linear") {
    if (command.sft_epochs != 0)
      throw input_error{"--sft-epochs: --policy linear is not a language model and has no sft"};
    check_linear_policy(command, loss);
  }
  if (command.data.empty()) command.data = bundled_data();
  return command;
}
