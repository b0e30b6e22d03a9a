#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "csv_output.hpp"
#include "csv_table.hpp"
#include "input_error.hpp"
#include "pair_losses.hpp"
#include "pair_table.hpp"
#include "score_command.hpp"

namespace {

/// "smoothed, epsilon 0.1, of dpo, beta 0.1": also the parameters that were not given.
std::string description(score_command const& command) {
  std::string text;
  auto given = command.parameters;
  for (std::string const& name : {command.loss, command.base}) {
    if (name.empty()) continue;
    text.append(text.empty() ? "" : ", of ").append(name);
    auto const& cards = prefopt::pair_loss_cards();
    auto const loss = std::ranges::find(cards, name, [](auto const& card) { return card.card.name; });
    for (auto const& parameter : loss->parameters) {
      auto const value = std::ranges::find(given, parameter.name, &prefopt::parameter_values::value_type::first);
      text.append(", ").append(parameter.name).append(" ");
      append_number(text, value == given.end() ? parameter.standard : value->second);
      if (value != given.end()) given.erase(value);  // a base's parameter of the same name is another one
    }
  }
  return text;
}

void print_summary(score_command const& command, prefopt::report const& report, bool weighted) {
  std::fprintf(stderr, "%-16s %s\n", "loss", description(command).c_str());
  auto const count = [](char const* name, std::size_t value) { std::fprintf(stderr, "%-16s %zu\n", name, value); };
  auto const mean = [](char const* name, double value) { std::fprintf(stderr, "%-16s %.6g\n", name, value); };
  count("pairs", report.count);
  if (weighted) mean("sum of weights", report.weight);
  mean("mean loss", report.loss);
  mean("accuracy", report.accuracy);
  mean("margin", report.margin);
  mean("chosen reward", report.chosen_reward);
  mean("rejected reward", report.rejected_reward);
  count("not finite", report.non_finite);
  count("empty", report.empty);
  count("skipped", report.skipped);
}

template <class T>
void score(score_command const& command) {
  auto const loss = prefopt::make_pair_loss(command.loss, command.parameters, command.base);
  csv_table file{command.file};
  pair_table<T> const pairs = read_pairs<T>(file, loss, command);
  std::size_t const size = pairs.size();

  std::vector<T> value(size), d_chosen(size), d_rejected(size), chosen_reward(size), rejected_reward(size);
  std::vector<T> posterior(loss.has_posterior() ? size : 0);
  auto const report = prefopt::evaluate(
      loss, pairs.batch(),
      prefopt::pair_outputs<T>{value, d_chosen, d_rejected, chosen_reward, rejected_reward, posterior},
      {.reduction = prefopt::reduction::none, .non_finite = command.non_finite, .empty = command.empty});

  std::string output{"loss,d_chosen,d_rejected,chosen_reward,rejected_reward"};
  output += posterior.empty() ? "\n" : ",posterior\n";
  for (std::size_t i = 0; i < size; ++i) {
    append_number(output, value[i]);
    for (auto const* column : {&d_chosen, &d_rejected, &chosen_reward, &rejected_reward, &posterior}) {
      if (column->empty()) continue;
      output += ',';
      append_number(output, (*column)[i]);
    }
    output += '\n';
  }
  write_standard_output(output);
  print_summary(command, report, !pairs.weight.empty());
}

}  // namespace

int main(int argc, char** argv) {
  return run_program("prefopt_score", [&] {
    if (auto const command = parse_score_command(argc, argv)) {
      command->single_precision ? score<float>(*command) : score<double>(*command);
    }
    return 0;
  });
}
