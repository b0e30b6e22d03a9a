#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "curves.hpp"
#include "input_error.hpp"
#include "preference_file.hpp"
#include "replace_file.hpp"
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

void print_table(training_result const& result) {
  auto const& [before, after, count, reliability] = result;
  auto const pairs = static_cast<double>(count);
  std::printf("held-out pairs        before         after\n");
  std::printf("loss            %12.4f  %12.4f\n", before.loss, after.loss);
  std::printf("accuracy        %12.3f  %12.3f\n", before.accuracy, after.accuracy);
  std::printf("  95 %% interval %12s  %12s\n", interval_text(before.accuracy, pairs).c_str(),
              interval_text(after.accuracy, pairs).c_str());
  std::printf("margin          %12.3f  %12.3f\n\n", before.margin, after.margin);
  std::printf("held-out accuracy: %.3f -> %.3f (95 %% interval %s, %zu pairs)\n", before.accuracy, after.accuracy,
              interval_text(after.accuracy, pairs).c_str(), count);
}

int run(int argc, char** argv) {
  auto const command = parse_train_command(argc, argv);
  if (!command) return 0;
  preference_set const data = read_preferences(command->data);
  training_result const result = train(*command, data);
  std::fprintf(stderr, "%s\n", draw_curves(command->out).c_str());
  if (!result.reliability.empty()) std::fputs(reliability_text(*command, data, result.reliability).c_str(), stdout);
  print_table(result);
  return std::fflush(stdout) == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  return run_program("prefopt_train", [&] { return run(argc, argv); });
}
