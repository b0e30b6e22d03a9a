#include "rl_report.hpp"

#include <algorithm>
#include <cmath>
#include <span>

#include "mean.hpp"
#include "mean_interval.hpp"
#include "number_text.hpp"
#include "text_table.hpp"

namespace {

using run_view = std::span<rl_run const>;

/// One value a run.
template <class F>
std::vector<double> each(run_view runs, F const& of) {
  std::vector<double> values;
  for (auto const& run : runs) values.push_back(of(run));
  return values;
}

/// Over the whole curve.
double mean_of_steps(rl_run const& run, double (*of)(step_metrics const&)) {
  double sum = 0;
  for (auto const& step : run.curve) sum += of(step);
  return sum / static_cast<double>(run.curve.size());
}

double training_gain(rl_run const& run) { return mean(run.after.training) - mean(run.before.training); }

std::vector<run_view> by_preset(std::vector<rl_run> const& runs) {
  std::vector<run_view> parts;
  for (auto begin = runs.begin(); begin != runs.end();) {
    auto const end = std::find_if(begin, runs.end(), [&](auto const& run) { return run.preset != begin->preset; });
    parts.emplace_back(begin, end);
    begin = end;
  }
  return parts;
}

/// "42 ± 10", "57 (1 of 3)", "never"
std::string steps_text(run_view runs, double target) {
  std::vector<double> steps;
  for (auto const& run : runs) {
    if (auto const needed = run.steps_to(target)) steps.push_back(static_cast<double>(*needed));
  }
  if (steps.empty()) return "never";
  if (steps.size() == runs.size()) {
    auto const [of_all, half_width] = mean_interval_of(steps);
    return decimals(of_all, 0) + " ± " + decimals(half_width, 0);
  }
  double sum = 0;
  for (double const of_run : steps) sum += of_run;
  return decimals(sum / static_cast<double>(steps.size()), 0) + " (" + std::to_string(steps.size()) + " of " +
         std::to_string(runs.size()) + ")";
}

/// Who is ahead of whom by more than the interval of the difference, seed by seed.
std::string differences_text(std::vector<run_view> const& presets) {
  std::vector<std::vector<std::string>> ahead;
  std::size_t pairs = 0;
  for (std::size_t i = 0; i < presets.size(); ++i) {
    for (std::size_t j = i + 1; j < presets.size(); ++j, ++pairs) {
      std::vector<double> differences;
      for (std::size_t s = 0; s < presets[i].size(); ++s) {
        differences.push_back(presets[i][s].mean_reward() - presets[j][s].mean_reward());
      }
      auto const [difference, half_width] = mean_interval_of(differences);
      if (!(std::abs(difference) > half_width)) continue;
      bool const is_first = difference > 0;
      std::string names{"  "}, by{"+"};
      names.append(presets[is_first ? i : j].front().preset).append(" than ");
      names.append(presets[is_first ? j : i].front().preset);
      by.append(decimals(std::abs(difference))).append(" ± ").append(decimals(half_width));
      ahead.push_back({names, by});
    }
  }
  if (pairs == 0) return "";
  std::string const of_pairs = std::to_string(pairs) + (pairs == 1 ? " pair" : " pairs");
  std::string text = "\nLearns faster, by the mean reward of all steps, seed by seed, with 95 % intervals:\n";
  if (ahead.empty()) {
    return text + "  none: in " + of_pairs + " no difference is beyond its interval\n";
  }
  text += text_table(ahead);
  if (ahead.size() < pairs) {
    text += "  none in the other " + std::to_string(pairs - ahead.size()) + " of " + of_pairs +
            ": no difference beyond its interval\n";
  }
  return text + "Each interval stands by itself: where all learn alike, about 1 in 20 pairs is named by chance.\n";
}

std::string gains_text(std::vector<run_view> const& presets) {
  std::string without;
  for (auto const& runs : presets) {
    auto const [gain, half_width] = mean_interval_of(each(runs, training_gain));
    if (!(gain > half_width)) without.append(without.empty() ? "" : ", ").append(runs.front().preset);
  }
  return without.empty() ? "\nEvery preset raises the reward by more than the interval of its gain.\n"
                         : "\nNo gain in reward beyond its interval: " + without + ".\n";
}

}  // namespace

std::string run_report(rl_run const& run, double target) {
  auto const part = [](char const* name, std::vector<double> const& before, std::vector<double> const& after) {
    return std::vector<std::string>{name, interval_text(before), interval_text(after)};
  };
  std::string text = text_table({{"reward, 95 % interval over prompts", "before", "after"},
                                 part("prompts that were trained on", run.before.training, run.after.training),
                                 part("prompts that were held out", run.before.held_out, run.after.held_out)});
  auto const steps = run.steps_to(target);
  text += "\nreward " + number_text(target) +
          ", mean of 10 steps: " + (steps ? "reached in step " + std::to_string(*steps) : std::string{"not reached"}) +
          "\nKL from the start " + decimals(run.last_kl()) + " a token in the last 10 steps; clipped tokens " +
          decimals(100 * mean_of_steps(run, [](auto const& step) { return step.clip_share(); }), 1) +
          " % in all steps\n\n";
  std::vector<std::vector<std::string>> rows{{"held out", "reference", "before", "after"}};
  for (auto const& [prompt, reference, before, after] : run.shown) {
    rows.push_back({prompt, "'" + reference + "'", "'" + before + "'", "'" + after + "'"});
  }
  return text + text_table(rows);
}

std::string comparison_report(std::vector<rl_run> const& runs, double target) {
  auto const presets = by_preset(runs);
  std::vector<std::vector<std::string>> rows{{"preset", "before", "after", "held out before", "after", "all steps",
                                              "steps to " + number_text(target), "KL at the end", "clipped"}};
  for (auto const& of : presets) {
    auto const interval = [&](auto const& value) { return interval_text(each(of, value)); };
    rows.push_back({of.front().preset, interval([](rl_run const& run) { return mean(run.before.training); }),
                    interval([](rl_run const& run) { return mean(run.after.training); }),
                    interval([](rl_run const& run) { return mean(run.before.held_out); }),
                    interval([](rl_run const& run) { return mean(run.after.held_out); }),
                    interval([](rl_run const& run) { return run.mean_reward(); }), steps_text(of, target),
                    decimals(mean(each(of, [](rl_run const& run) { return run.last_kl(); }))),
                    decimals(100 * mean(each(of,
                                             [](rl_run const& run) {
                                               return mean_of_steps(run,
                                                                    [](auto const& step) { return step.clip_share(); });
                                             })),
                             1) +
                        " %"});
  }
  return text_table(rows) + gains_text(presets) + differences_text(presets);
}
