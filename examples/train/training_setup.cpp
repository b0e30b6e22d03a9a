#include "training_setup.hpp"

#include <algorithm>
#include <cstddef>

#include "checksum.hpp"
#include "input_error.hpp"
#include "number_text.hpp"

run_setup setup_of(train_command const& command, preference_set const& data, comparable_records const& records,
                   holdout_split const& split, std::string const& policy) {
  std::string const left_out =
      records.left_out() == 0 ? "" : " of which " + std::to_string(records.left_out()) + " are left out";
  std::string const prompts = split.sharing() == 0 ? "" : " of " + std::to_string(split.prompts()) + " prompts";
  run_setup setup{{"--data", std::to_string(data.records.size()) + " " + data.noun() + left_out + ", checksum " +
                                 std::to_string(data.checksum)},
                  {"--policy", policy},
                  {"--loss", command.loss.name},
                  {"--base", command.loss.base.empty() ? "none" : command.loss.base},
                  {"--sft-epochs", std::to_string(command.sft_epochs)},
                  {"--batch", std::to_string(command.batch)},
                  {"--learning-rate", number_text(command.learning_rate)},
                  {"--holdout", number_text(command.holdout) + prompts},
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

void check_same_options_on_every_rank(train_command const& command, run_setup const& setup, ranks const& all) {
  std::string options = "--epochs " + std::to_string(command.epochs) + (command.resume ? " --resume" : "");
  for (auto const& [name, value] : setup) options.append(" ").append(name).append(" ").append(value);
  check_same_on_every_rank(checksum_of(options), "other options or data, this one has " + options, all);
}
