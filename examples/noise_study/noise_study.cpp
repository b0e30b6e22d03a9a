#include <cstdint>
#include <filesystem>
#include <string>

#include "bandit_claims.hpp"
#include "bandit_csv.hpp"
#include "bandit_study.hpp"
#include "flip_correction.hpp"
#include "number_text.hpp"
#include "progress.hpp"
#include "ranking_length.hpp"
#include "reliability_recovery.hpp"
#include "replace_file.hpp"
#include "result_files.hpp"
#include "results_picture.hpp"
#include "run_program.hpp"
#include "standard_output.hpp"
#include "study_command.hpp"
#include "win_mass_tables.hpp"

namespace {

std::string study_bandit(study_command const& command, progress& shown) {
  std::filesystem::path const folder{command.out};
  result_files const earlier{folder, {"runs.csv", "means.csv", "results.png", "results.svg"}};
  if (earlier.any()) shown.line(command.out + ": replaces the results of an earlier run at the end");

  bandit_settings const& settings = command.bandit;
  bandit_results const results = run_bandit_study(settings, command.threads, shown);
  earlier.remove();
  replace_file((folder / "runs.csv").string(), runs_csv(results));
  replace_file((folder / "means.csv").string(), means_csv(results));
  shown.line(draw_results(command.out));
  return "bandit: WinMass, mean and 95 % interval over " + std::to_string(settings.seeds) + " seeds; " +
         std::to_string(settings.steps) + " steps, tau " + number_text(settings.tau) + ", beta_reward " +
         number_text(settings.beta_reward) + "\n" + win_mass_tables(results) + "\nbandit: claims\n" +
         claims_report(results);
}

int run(int argc, char** argv) {
  auto const command = parse_study_command(argc, argv);
  if (!command) return 0;
  progress shown;
  auto const write = [&](std::string const& text) {
    shown.clear();
    write_standard_output(text + "\n");
  };
  std::uint64_t const seed = command->bandit.first_seed;
  std::string const over = " over " + std::to_string(command->repetitions) + " repetitions\n\n";
  if (command->wants("bandit")) write(study_bandit(*command, shown));
  if (command->wants("rankings")) {
    write("rankings: |theta - theta*| from 400 rankings of K candidates, mean and 95 % interval" + over +
          ranking_length_table(seed, command->repetitions, command->threads, shown));
  }
  if (command->wants("flips")) {
    write("flips: |theta - theta*|, |theta*| = 2, from " + std::to_string(command->flipped_pairs) +
          " pairs, mean and 95 % interval" + over +
          flip_correction_table(command->flipped_pairs, seed, command->repetitions, command->threads, shown));
  }
  if (command->wants("reliability")) {
    write("reliability: what lcpo finds where an annotator is right with probability eta*, from " +
          std::to_string(command->told_pairs) + " pairs\n\n" +
          reliability_table(command->told_pairs, seed, command->threads, shown));
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return run_program("noise_study", [&] { return run(argc, argv); });
}
