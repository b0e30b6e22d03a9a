#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "curves.hpp"
#include "preference_file.hpp"
#include "replace_file.hpp"
#include "run_program.hpp"
#include "standard_output.hpp"
#include "train_command.hpp"
#include "training.hpp"

namespace {

std::string interval_text(double accuracy, double pairs) {
  auto const [low, high] = wilson_interval(accuracy, pairs);
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
      text.append("  ").append(data.annotators[i]).append(value);
    }
  }
  std::string const path = (std::filesystem::path{command.out} / "reliability.csv").string();
  replace_file(path, csv);
  if (values.size() > shown) text += "  and " + std::to_string(values.size() - shown) + " more in " + path + "\n";
  return "reliability of the annotators\n" + text + "\n";
}

std::string table_text(training_result const& result) {
  auto const& [before, after, count, reliability] = result;
  auto const pairs = static_cast<double>(count);
  std::string const interval_before = interval_text(before.accuracy, pairs);
  std::string const interval_after = interval_text(after.accuracy, pairs);
  char text[640];
  std::snprintf(text, sizeof text,
                "held-out pairs        before         after\n"
                "loss            %12.4f  %12.4f\n"
                "accuracy        %12.3f  %12.3f\n"
                "  95 %% interval %12s  %12s\n"
                "margin          %12.3f  %12.3f\n\n"
                "held-out accuracy: %.3f -> %.3f (95 %% interval %s, %zu pairs)\n",
                before.loss, after.loss, before.accuracy, after.accuracy, interval_before.c_str(),
                interval_after.c_str(), before.margin, after.margin, before.accuracy, after.accuracy,
                interval_after.c_str(), count);
  return text;
}

int run(int argc, char** argv) {
  auto const command = parse_train_command(argc, argv);
  if (!command) return 0;
  preference_set const data = read_preferences(command->data);
  training_result const result = train(*command, data);
  std::fprintf(stderr, "%s\n", draw_curves(command->out).c_str());
  std::string output;
  if (!result.reliability.empty()) output += reliability_text(*command, data, result.reliability);
  write_standard_output(output += table_text(result));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return run_program("prefopt_train", [&] { return run(argc, argv); });
}
