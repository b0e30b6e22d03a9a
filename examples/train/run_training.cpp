#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "curves.hpp"
#include "input_error.hpp"
#include "preference_file.hpp"
#include "replace_file.hpp"
#include "run_training.hpp"
#include "standard_output.hpp"
#include "train_command.hpp"
#include "training.hpp"

namespace {

std::string interval_text(double accuracy, double trials) {
  auto const [low, high] = wilson_interval(accuracy, trials);
  char text[32];
  std::snprintf(text, sizeof text, "%.3f..%.3f", low, high);
  return text;
}

/// Of every annotator to reliability.csv, and of the first ones as text.
std::string reliability_text(train_command const& command, preference_set const& data,
                             std::vector<double> const& values) {
  constexpr std::size_t shown = 20;
  std::string csv = "annotator,reliability\n", text;
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::string name{"\""};
    for (char const c : data.annotators[i]) name.append(c == '"' ? 2 : 1, c);
    csv.append(name).append("\",").append(std::to_string(values[i])).append("\n");
    if (i < shown) {
      char value[16];
      std::snprintf(value, sizeof value, ": %.3f\n", values[i]);
      text.append("  ").append(on_one_line(data.annotators[i])).append(value);
    }
  }
  std::string const path = (std::filesystem::path{command.out} / "reliability.csv").string();
  replace_file(path, csv);
  if (values.size() > shown) text += "  and " + std::to_string(values.size() - shown) + " more in " + path + "\n";
  return "reliability of the annotators\n" + text + "\n";
}

/// Of records that are called `noun`.
std::string table_text(training_result const& result, std::string const& noun, loss_kind kind) {
  auto const& [before, after, counted, pairs, groups, prompts, trials, reliability] = result;
  char text[640];
  std::snprintf(text, sizeof text,
                "held-out %-11s  before         after\n"
                "loss            %12.4f  %12.4f\n",
                noun.c_str(), before.loss, after.loss);
  std::string table{text};
  if (pairs == 0) {
    std::snprintf(text, sizeof text, "\nheld-out loss: %.4f -> %.4f (no completion has another to be compared with)\n",
                  before.loss, after.loss);
    return table + text;
  }
  // Pairs of one group, and groups of one prompt, are not independent of each other.
  std::string const interval_before = interval_text(before.accuracy, trials);
  std::string const interval_after = interval_text(after.accuracy, trials);
  std::string count = std::to_string(pairs) + " " + counted;
  if (prompts != groups) {
    count += " of " + std::to_string(prompts) + " prompts";
  } else if (noun == "groups" && counted == "pairs") {
    count += " of " + std::to_string(groups) + " groups";
  }
  std::snprintf(text, sizeof text,
                "accuracy        %12.3f  %12.3f\n"
                "  95 %% interval %12s  %12s\n"
                "margin          %12.3f  %12.3f\n",
                before.accuracy, after.accuracy, interval_before.c_str(), interval_after.c_str(), before.margin,
                after.margin);
  table += text;
  if (kind == loss_kind::list) {
    std::snprintf(text, sizeof text, "best probability%12.3f  %12.3f\n", before.best_probability,
                  after.best_probability);
    table += text;
  }
  std::snprintf(text, sizeof text, "\nheld-out accuracy: %.3f -> %.3f (95 %% interval %s, %s)\n", before.accuracy,
                after.accuracy, interval_after.c_str(), count.c_str());
  return table + text;
}

}  // namespace

int run_training(int argc, char** argv, ranks const& all) {
  std::optional<train_command> command;
  preference_set data;
  all.together([&] {
    command = parse_train_command(argc, argv);
    if (command && command->data == "-" && all.count > 1) {
      throw input_error{"--data: got -, expected a file: only one rank would get standard input"};
    }
    if (command) data = read_preferences(command->data, command->reading);
  });
  if (!command) return 0;
  if (command->check) {
    std::string text;
    for (auto const& note : data.notes) text += note + "\n";
    if (all.is_first()) write_standard_output(text);
    return 0;
  }
  results_folder folder{command->out, {"metrics.csv", "curves.png", "curves.svg", "reliability.csv"}};
  all.together([&] { folder.check_apart("--data", command->data); });
  training_result const result = train(*command, data, folder, all);
  if (!all.is_first()) return 0;
  std::fprintf(stderr, "%s\n", draw_curves(command->out).c_str());
  std::string output;
  if (!result.reliability.empty()) output += reliability_text(*command, data, result.reliability);
  write_standard_output(output += table_text(result, data.noun(), command->loss.kind));
  return 0;
}
