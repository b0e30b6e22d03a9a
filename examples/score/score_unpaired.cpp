#include "score_unpaired.hpp"

#include <string>

#include "csv_table.hpp"
#include "example_results.hpp"
#include "loss_choice.hpp"
#include "score_columns.hpp"
#include "standard_output.hpp"
#include "summary.hpp"

namespace {

using family = prefopt::unpaired_family;

template <class T>
number_table<family, T> read_completions(csv_table& file, prefopt::any_unpaired_loss const& loss,
                                         score_command const& command) {
  for (std::string const& name : command.ignored_columns) file.ignore(name);
  check_header(file, number_columns<family>(), loss);
  number_reader<family, T> const numbers{file, loss, command};
  number_table<family, T> completions;
  while (file.next_row()) numbers.append_row(file, completions);
  if (completions[family::logp].empty()) {
    throw error_at(file.file(), 0, {}, "only a header, expected at least one row");
  }
  return completions;
}

template <class T>
void score_each_completion(score_command const& command) {
  auto const loss = make_unpaired_loss(command.loss);
  csv_table file{command.file};
  auto const completions = read_completions<T>(file, loss, command);
  example_results<family, T> const results{loss, completions, completions[family::logp].size(), command};
  write_standard_output(results.text());
  auto const& report = results.report;
  bool const is_labelled = loss.reads(prefopt::columns::label);
  print_line("loss", description(command.loss));
  print_count("completions", report.count);
  if (!completions[family::weight].empty()) print_mean("sum of weights", report.weight);
  print_mean("mean loss", report.loss);
  if (is_labelled) print_mean("accuracy", report.accuracy);
  print_mean(is_labelled ? "desirable reward" : "reward", report.chosen_reward);
  if (is_labelled) print_mean("other reward", report.rejected_reward);
  print_count("not finite", report.non_finite);
  print_count("empty", report.empty);
  print_count("skipped", report.skipped);
}

}  // namespace

void score_unpaired(score_command const& command) {
  command.single_precision ? score_each_completion<float>(command) : score_each_completion<double>(command);
}
