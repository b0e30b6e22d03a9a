#include "score_lists.hpp"

#include <cstdio>
#include <prefopt/engine/evaluate.hpp>
#include <string>
#include <vector>

#include "batch_parts.hpp"
#include "csv_field.hpp"
#include "held_output.hpp"
#include "list_reader.hpp"
#include "loss_choice.hpp"
#include "number_text.hpp"
#include "summary.hpp"

namespace {

/// Not to be mistaken for the column reward.
void print_implicit(char const* name, double reward) { std::fprintf(stderr, "%-16s %.6g (implicit)\n", name, reward); }

void print_summary(loss_choice const& choice, prefopt::any_list_loss const& loss, column_table const& file,
                   prefopt::report const& report, std::size_t candidates) {
  print_line("loss", description(choice));
  print_line("score", std::string{"log-prob"} + (file.find("ref_logp") ? " - reference" : "") +
                          (file.find("length") ? ", per token" : ""));
  if (loss.reads(prefopt::columns::reward) && loss.one_of() == prefopt::columns::none) {
    print_line("order", file.find("reward") ? "by reward" : "as in the file, best first");
  }
  print_count("groups", report.count);
  print_line("candidates",
             std::to_string(candidates) + (report.skipped == 0 ? "" : ", those of skipped groups included"));
  if (file.find("weight")) print_mean("sum of weights", report.weight);
  print_mean("mean loss", report.loss);
  if (!loss.is_square()) {  // candidates of a matrix are not ranked
    print_mean("accuracy", report.accuracy);
    print_mean("best probability", report.best_probability);
    print_implicit("best reward", report.chosen_reward);
    print_implicit("other reward", report.rejected_reward);
  }
  print_count("not finite", report.non_finite);
  print_count("empty", report.empty);
  print_count("skipped", report.skipped);
}

template <class T>
void append_rows(list_table<T> const& lists, std::vector<T> const& value, std::vector<T> const& d_logp,
                 held_output& output) {
  for (std::size_t g = 0; g < lists.groups(); ++g) {
    std::string group_and_loss;
    append_field(group_and_loss, lists.group[g]);
    group_and_loss += ',' + number_text(value[g]) + ',';
    for (auto i = static_cast<std::size_t>(lists.offsets[g]); i < static_cast<std::size_t>(lists.offsets[g + 1]); ++i) {
      output.append(group_and_loss);
      output.append(number_text(d_logp[i]) + "\n");
    }
  }
}

template <class T>
void score_each_list(score_command const& command) {
  auto const loss = make_list_loss(command.loss);
  auto const file = open_rows(command);
  list_reader<T> reader{*file, loss, command};
  batch_parts parts{command, false};
  held_output output;
  output.append("group,loss,d_logp\n");
  prefopt::report report;
  std::size_t candidates = 0;
  for (list_table<T> lists; reader.read(lists, rows_at_once);) {
    std::vector<T> value(lists.groups()), d_logp(lists.candidates());
    report = parts(lists.first_line, [&](prefopt::options const& options) {
      return prefopt::evaluate(loss, lists.batch(), prefopt::list_outputs<T>{value, d_logp}, options);
    });
    append_rows(lists, value, d_logp, output);
    candidates += lists.candidates();
  }
  if (candidates == 0) throw error_at(file->file(), 0, {}, "only a header, expected at least one row");
  check_sum_of_weights<T>(*file, report);
  output.release();
  print_summary(command.loss, loss, *file, report, candidates);
  print_not_read(reader.not_read());
  print_notes(reader.notes());
}

}  // namespace

void score_lists(score_command const& command) {
  command.single_precision ? score_each_list<float>(command) : score_each_list<double>(command);
}
