#include "run_rl_loop.hpp"

#include <filesystem>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include "checksum.hpp"
#include "mean.hpp"
#include "number_text.hpp"
#include "parallel_for.hpp"
#include "progress.hpp"
#include "replace_file.hpp"
#include "result_files.hpp"
#include "rl_command.hpp"
#include "rl_report.hpp"
#include "rl_results.hpp"
#include "rl_run.hpp"
#include "same_on_every_rank.hpp"
#include "standard_output.hpp"
#include "text_table.hpp"

namespace {

std::string settings_text(rl_settings const& of) {
  return std::to_string(of.steps) + " steps of " + std::to_string(of.groups) + " prompts x " +
         std::to_string(of.samples) + " completions, " + std::to_string(of.epochs * of.minibatches) +
         " updates each, learning rate " + number_text(of.learning_rate) + "; warm-up of " +
         std::to_string(of.warm_up) + " steps";
}

class rl_loop {
 public:
  rl_loop(rl_command const& command, ranks const& all) : command_{command}, all_{all} {}

  std::vector<rl_run> run_one() {
    tell("warm-up: " + std::to_string(command_.settings.warm_up) + " steps of imitation");
    rl_start const start{command_.of, command_.settings, all_};
    tell("before: reward " + decimals(mean(start.reward.training)) + ", held out " +
         decimals(mean(start.reward.held_out)));
    std::size_t const steps = command_.settings.steps, lines = 10;
    preset const by = preset_of(command_.presets.front(), command_.parameters, command_.settings, command_.of.longest);
    return {run_preset(command_.of, start, by, command_.settings, all_, [&](std::size_t done, step_metrics const& saw) {
      show(by.name, done, steps);
      // A line each tenth, and one for the last step.
      if (done * lines / steps == (done - 1) * lines / steps) return;
      tell("step " + std::to_string(done) + "/" + std::to_string(steps) + ": reward " + decimals(saw.reward) + ", KL " +
           decimals(saw.kl) + ", clipped " + decimals(100 * saw.clip_share(), 1) + " %");
    })};
  }

  /// Each run by itself, on some thread; over ranks one after the other.
  std::vector<rl_run> compare() {
    std::size_t const threads = all_.count > 1 ? 1 : command_.threads, seeds = command_.seeds;
    std::vector<std::optional<rl_start>> starts(seeds);
    parallel_for(
        seeds, threads, [&](std::size_t s) { starts[s].emplace(command_.of, settings_of(s), all_); },
        [&](std::size_t done) { show("warm-ups", done, seeds); });
    std::vector<rl_run> runs(seeds * command_.presets.size());
    parallel_for(
        runs.size(), threads,
        [&](std::size_t i) {
          rl_settings const settings = settings_of(i % seeds);
          preset const by = preset_of(command_.presets[i / seeds], {}, settings, command_.of.longest);
          runs[i] = run_preset(command_.of, *starts[i % seeds], by, settings, all_, [](std::size_t, auto const&) {});
          std::scoped_lock const lock{telling_};
          tell(by.name + ", seed " + std::to_string(settings.seed) + ": reward " +
               decimals(mean(runs[i].before.training)) + " -> " + decimals(mean(runs[i].after.training)));
        },
        [&](std::size_t done) {
          std::scoped_lock const lock{telling_};
          show("runs", done, runs.size());
        });
    return runs;
  }

  void tell(std::string const& text) {
    if (all_.is_first()) progress_.line(text);
  }

  void clear() { progress_.clear(); }

 private:
  void show(std::string const& what, std::size_t done, std::size_t of) {
    if (all_.is_first()) progress_.show(what, done, of);
  }

  rl_settings settings_of(std::size_t run) const {
    rl_settings settings = command_.settings;
    settings.seed += run;
    return settings;
  }

  rl_command const& command_;
  ranks const& all_;
  progress progress_;
  std::mutex telling_;
};

/// Ranks with other options would wait for each other in vain.
void check_same_options(int argc, char** argv, ranks const& all) {
  std::string options;
  for (int i = 1; i < argc; ++i) options.append(1, ' ').append(argv[i]);
  check_same_on_every_rank(checksum_of(options), "other options, this one has" + on_one_line(options), all);
}

}  // namespace

int run_rl_loop(int argc, char** argv, ranks const& all) {
  std::optional<rl_command> command;
  all.together([&] { command = parse_rl_command(argc, argv); });
  if (!command) return 0;
  check_same_options(argc, argv, all);
  rl_loop loop{*command, all};
  std::filesystem::path const folder{command->out};
  std::optional<result_files> earlier;
  all.together([&] {
    if (!all.is_first()) return;
    earlier.emplace(folder,
                    std::vector{"curves.csv", "runs.csv", "weights", "curves.png", "curves.svg", "curves.gnuplot"});
    if (earlier->any()) loop.tell(command->out + ": replaces the results of an earlier run at the end");
  });
  loop.tell(std::string{command->of.name} + ": " + std::string{command->of.about});
  loop.tell(settings_text(command->settings));

  auto const runs = command->compares ? loop.compare() : loop.run_one();
  if (!all.is_first()) return 0;
  earlier->remove();
  replace_file((folder / "curves.csv").string(), curves_csv(runs));
  replace_file((folder / "runs.csv").string(), runs_csv(runs, command->target));
  if (!command->compares) {
    auto const& weights = runs.front().weights;
    replace_file((folder / "weights").string(), {reinterpret_cast<char const*>(weights.data()),
                                                 static_cast<std::size_t>(weights.size()) * sizeof(float)});
  }
  loop.tell(draw_curves(runs, command->out));
  loop.clear();
  std::string const title = std::string{command->of.name} + ", " +
                            (command->compares ? std::to_string(command->seeds) + " seeds, 95 % intervals over them: "
                                               : command->presets.front() + ": ") +
                            settings_text(command->settings) + "\n\n";
  write_standard_output(title + (command->compares ? comparison_report(runs, command->target)
                                                   : run_report(runs.front(), command->target)));
  return 0;
}
