// A trainer in libtorch: a small language model over bytes, torch's layers, optimizer and autograd; log-probs and loss
// through prefopt.

#include <CLI/CLI.hpp>
#include <string>

#include "command_line.hpp"
#include "data_fields.hpp"
#include "input_error.hpp"
#include "loss_options.hpp"
#include "number_text.hpp"
#include "preference_file.hpp"
#include "run_program.hpp"
#include "standard_output.hpp"
#include "torch_training.hpp"

namespace {

constexpr char introduction[] =
    "Trains a small language model over bytes in libtorch, on preference pairs or ranked answers, and shows how a "
    "trainer in torch calls prefopt: logits go in, a loss with its gradient comes out, and torch does all else.";

constexpr char manual[] = R"(
The model first learns the best answers by heart (sft; those that labels favour, each times its record's weight), then
the preferences. The reference of the losses that take one is the model in between; --reference keeps its log-probs in a
file, which another run with the same data and the same options of sft, --batch, --learning-rate and --seed reads instead
of computing them.

Data are those of prefopt_train, see its --help: pairs for a loss of pairs, pairs or ranked answers for a list loss.
The table has the mean loss in training, and the loss and the accuracy (the share of pairs ranked right, whatever their
labels say) on the records of the fifth of the prompts that is held out; epoch 0 is the model after sft, which against
itself as the reference has an accuracy of 0.500. Before the first step log-probs and gradients are compared with those of
torch's autograd in float64, and the run ends if they differ by more than 1e-6 of the largest.

Examples:
  prefopt_torch
  prefopt_torch --loss simpo --beta 2 --gamma 0.5 --epochs 5
  prefopt_torch --loss adpo --data ranked.jsonl --reference log-probs)";

void check(loss_choice const& choice, preference_set const& data, std::string const& path) {
  auto const loss = loss_of(choice);
  std::string const name = name_of(loss);
  if (needs(loss, prefopt::columns::reliability)) {
    throw input_error{"--loss: " + name + " learns whom to trust, which prefopt_train shows"};
  }
  if (choice.kind == loss_kind::unpaired) {
    throw input_error{"--loss: " + name + " is a loss of single completions, expected one of pairs or lists"};
  }
  if (auto const* const list_loss = std::get_if<prefopt::any_list_loss>(&loss)) {
    if (list_loss->is_square()) {
      throw input_error{"--loss: " + name + " takes every response under as many prompts, and a record has one prompt"};
    }
  } else if (data.has_ranked) {
    throw error_at(path, 0, "responses", "got ranked answers, expected pairs, since " + name + " is a loss of pairs");
  }
  if (data.records.size() < 5) {
    throw error_at(path, 0, "",
                   "got " + std::to_string(data.records.size()) + " " + data.noun() + ", expected 5 or more");
  }
  check_fields(data, path, loss);
}

int run(int argc, char** argv) {
  torch_settings settings;
  std::string data_path;
  CLI::App app{introduction, "prefopt_torch"};
  app.footer(manual);
  app.add_option("--data", data_path,
                 "records as prefopt_train takes them; by default the small sets that come with the project")
      ->type_name("FILE");
  loss_options const losses{app, "a loss of pairs or lists, see prefopt_train --help; by default dpo"};
  app.add_option("--reference", settings.reference,
                 "the reference's log-probs: read if the file is there, else written to it")
      ->type_name("FILE");
  app.add_option("--epochs", settings.epochs, "passes over the records")
      ->type_name("N")
      ->default_val(settings.epochs)
      ->check(CLI::Range(0, 1000).description(""));
  app.add_option("--sft-epochs", settings.sft_epochs, "passes over the best answers before that")
      ->type_name("N")
      ->default_val(settings.sft_epochs)
      ->check(CLI::Range(0, 1000).description(""));
  app.add_option("--batch", settings.batch, "records in a step")
      ->type_name("N")
      ->default_val(settings.batch)
      ->check(CLI::Range(1, 1000).description(""));
  app.add_option("--learning-rate", settings.learning_rate, "of Adam")
      ->type_name("X")
      ->default_val(settings.learning_rate)
      ->check(CLI::Range(1e-9, 1.0).description(""));
  app.add_option("--seed", settings.seed, "of the weights, of which records are held out, and of their order")
      ->type_name("S")
      ->default_val(settings.seed)
      ->check(CLI::Validator{CLI::NonNegativeNumber}.description(""));
  if (!parse_command_line(app, argc, argv)) return 0;

  auto const choice = losses.chosen("dpo");
  if (data_path.empty()) {
    data_path = choice.kind == loss_kind::list ? PREFOPT_BUNDLED_RANKED : PREFOPT_BUNDLED_PREFERENCES;
  }
  preference_set const data = read_preferences(data_path);
  check(choice, data, data_path);
  settings.sft_name = "prefopt_torch, sft epochs " + std::to_string(settings.sft_epochs) + ", batch " +
                      std::to_string(settings.batch) + ", learning rate " + number_text(settings.learning_rate) +
                      ", seed " + std::to_string(settings.seed);
  write_standard_output(train(settings, choice, data));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return run_program("prefopt_torch", [&] { return run(argc, argv); });
}
