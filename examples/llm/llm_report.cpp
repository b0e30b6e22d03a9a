#include "llm_report.hpp"

#include <cmath>
#include <cstdio>

namespace {

std::string wilson_text(double accuracy, double trials) {
  auto const [low, high] = wilson_interval(accuracy, trials);
  char text[32];
  std::snprintf(text, sizeof text, "%.3f..%.3f", low, high);
  return text;
}

std::string counted_text(llm_result const& result, std::string const& noun) {
  std::string count = std::to_string(result.pairs) + " " + result.counted;
  if (result.prompts != result.groups) return count + " of " + std::to_string(result.prompts) + " prompts";
  return noun == "groups" && result.counted == "pairs" ? count + " of " + std::to_string(result.groups) + " groups"
                                                       : count;
}

}  // namespace

std::string llm_table(llm_result const& result, own_answers const& own, std::string const& noun) {
  auto const& [before, after] = std::pair{result.before, result.after};
  std::string table;
  auto const line = [&](char const* name, char const* format, auto first, auto second) {
    char cells[2][32], text[128];
    std::snprintf(cells[0], sizeof cells[0], format, first);
    std::snprintf(cells[1], sizeof cells[1], format, second);
    std::snprintf(text, sizeof text, "%-32s%14s%14s\n", name, cells[0], cells[1]);
    table += text;
  };
  bool const is_judged = result.pairs != 0;
  auto const interval = [&](double accuracy) { return wilson_text(accuracy, result.trials); };
  line(("held-out " + noun).c_str(), "%s", "before", "after");
  line("loss", "%.4f", before.loss, after.loss);
  if (is_judged) {
    line("accuracy", "%.3f", before.accuracy, after.accuracy);
    line("  95 % interval", "%s", interval(before.accuracy).c_str(), interval(after.accuracy).c_str());
    line("margin", "%.3f", before.margin, after.margin);
  }
  line("KL to the reference, a token", "%.5f", 0.0, result.kl);
  if (is_judged && !std::isnan(result.mean_accuracy.after)) {
    line("accuracy by mean log-prob", "%.3f", result.mean_accuracy.before, result.mean_accuracy.after);
    line("  95 % interval", "%s", interval(result.mean_accuracy.before).c_str(),
         interval(result.mean_accuracy.after).c_str());
  }
  if (own.answers != 0) {
    line(("tokens of " + std::to_string(own.answers) + " own answers").c_str(), "%.1f", own.before, own.after);
  }
  char text[256];
  if (!is_judged) {
    std::snprintf(text, sizeof text, "\nheld-out loss: %.4f -> %.4f (no completion has another to be compared with)\n",
                  before.loss, after.loss);
    return table + text;
  }
  std::snprintf(text, sizeof text, "\nheld-out accuracy: %.3f -> %.3f (95 %% interval %s, %s)\n", before.accuracy,
                after.accuracy, interval(after.accuracy).c_str(), counted_text(result, noun).c_str());
  return table + text;
}
