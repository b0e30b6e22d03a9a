#include "score_unpaired.hpp"

#include <string>

#include "column_table.hpp"
#include "example_results.hpp"
#include "loss_choice.hpp"
#include "score_columns.hpp"
#include "summary.hpp"

namespace {

using family = prefopt::unpaired_family;

template <class T>
void score_each_completion(score_command const& command) {
  auto const loss = make_unpaired_loss(command.loss);
  auto const file = open_rows(command);
  std::string const note_on_index = ignore_columns(*file, command);
  check_header(*file, number_columns<family>(), loss);
  number_reader<family, T> numbers{*file, loss, command};
  auto const report = score_examples<family, T>(
      *file, loss, command, [&](number_table<family, T>& completions) { numbers.append_row(*file, completions); },
      [](auto const&) {});
  bool const is_labelled = loss.reads(prefopt::columns::label);
  print_line("loss", description(command.loss));
  print_count("completions", report.count);
  if (file->find("weight")) print_mean("sum of weights", report.weight);
  print_mean("mean loss", report.loss);
  if (is_labelled) print_mean("accuracy", report.accuracy);
  print_mean(is_labelled ? "desirable reward" : "reward", report.chosen_reward);
  if (is_labelled) print_mean("other reward", report.rejected_reward);
  print_count("not finite", report.non_finite);
  print_count("empty", report.empty);
  print_count("skipped", report.skipped);
  print_notes({note_on_index, file->note(), numbers.note_on_signs()});
}

}  // namespace

void score_unpaired(score_command const& command) {
  command.single_precision ? score_each_completion<float>(command) : score_each_completion<double>(command);
}
