#include "score_lists.hpp"

#include <cstdio>
#include <prefopt/engine/evaluate.hpp>
#include <string>
#include <vector>

#include "csv_field.hpp"
#include "csv_table.hpp"
#include "list_table.hpp"
#include "loss_choice.hpp"
#include "number_text.hpp"
#include "standard_output.hpp"
#include "summary.hpp"

namespace {

/// Not to be mistaken for the column reward.
void print_implicit(char const* name, double reward) { std::fprintf(stderr, "%-16s %.6g (implicit)\n", name, reward); }

template <class T>
void print_summary(loss_choice const& choice, prefopt::any_list_loss const& loss, list_table<T> const& lists,
                   prefopt::report const& report) {
  print_line("loss", description(choice));
  using of = prefopt::list_family;
  print_line("score", std::string{"log-prob"} + (lists.has(of::ref_logp) ? " - reference" : "") +
                          (lists.has(of::length) ? ", per token" : ""));
  if (loss.reads(prefopt::columns::reward) && loss.one_of() == prefopt::columns::none) {
    print_line("order", lists.has(of::reward) ? "by reward" : "as in the file, best first");
  }
  print_count("groups", report.count);
  print_line("candidates",
             std::to_string(lists.candidates()) + (report.skipped == 0 ? "" : ", those of skipped groups included"));
  if (lists.has(of::weight)) print_mean("sum of weights", report.weight);
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
  std::string names;
  for (auto const name : lists.not_read) names.append(names.empty() ? "" : ", ").append(name);
  if (!names.empty()) print_line("not read", names);
}

template <class T>
void score_each_list(score_command const& command) {
  auto const loss = make_list_loss(command.loss);
  csv_table file{command.file};
  list_table<T> const lists = read_lists<T>(file, loss, command);

  std::vector<T> value(lists.groups()), d_logp(lists.candidates());
  auto const report = prefopt::evaluate(
      loss, lists.batch(), prefopt::list_outputs<T>{value, d_logp},
      {.reduction = prefopt::reduction::none, .non_finite = command.non_finite, .empty = command.empty});

  std::string output{"group,loss,d_logp\n"};
  for (std::size_t g = 0; g < lists.groups(); ++g) {
    std::string group_and_loss;
    append_field(group_and_loss, lists.group[g]);
    group_and_loss += ',' + number_text(value[g]) + ',';
    for (auto i = static_cast<std::size_t>(lists.offsets[g]); i < static_cast<std::size_t>(lists.offsets[g + 1]); ++i) {
      output.append(group_and_loss).append(number_text(d_logp[i])).append("\n");
    }
  }
  write_standard_output(output);
  print_summary(command.loss, loss, lists, report);
}

}  // namespace

void score_lists(score_command const& command) {
  command.single_precision ? score_each_list<float>(command) : score_each_list<double>(command);
}
