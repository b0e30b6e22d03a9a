#include "score_pairs.hpp"

#include <map>
#include <string>
#include <vector>

#include "csv_table.hpp"
#include "example_results.hpp"
#include "loss_choice.hpp"
#include "pair_table.hpp"
#include "standard_output.hpp"
#include "summary.hpp"

namespace {

void print_summary(loss_choice const& loss, prefopt::report const& report, bool weighted) {
  print_line("loss", description(loss));
  print_count("pairs", report.count);
  if (weighted) print_mean("sum of weights", report.weight);
  print_mean("mean loss", report.loss);
  print_mean("accuracy", report.accuracy);
  print_mean("margin", report.margin);
  print_mean("chosen reward", report.chosen_reward);
  print_mean("rejected reward", report.rejected_reward);
  print_count("not finite", report.non_finite);
  print_count("empty", report.empty);
  print_count("skipped", report.skipped);
}

/// Each annotator's mean posterior: what lcpo makes of the reliability that it was given.
template <class T>
void print_annotators(std::vector<std::string> const& annotators, std::vector<T> const& posterior) {
  struct tally {
    std::size_t pairs = 0;
    double posterior = 0;
  };
  std::map<std::string, tally> tallies;
  for (std::size_t i = 0; i < annotators.size(); ++i) {
    auto& of_this = tallies[annotators[i]];
    ++of_this.pairs;
    of_this.posterior += static_cast<double>(posterior[i]);
  }
  for (auto const& [annotator, all] : tallies) {
    std::fprintf(stderr, "%-16s %.6g, the mean posterior of %zu pairs\n", ("annotator " + annotator).c_str(),
                 all.posterior / static_cast<double>(all.pairs), all.pairs);
  }
}

template <class T>
void score_each_pair(score_command const& command) {
  auto const loss = make_pair_loss(command.loss);
  csv_table file{command.file};
  pair_table<T> const pairs = read_pairs<T>(file, loss, command);
  example_results<prefopt::pair_family, T> const results{loss, pairs.numbers, pairs.size(), command};
  write_standard_output(results.text());
  auto const& report = results.report;
  print_summary(command.loss, report, !pairs.numbers[prefopt::pair_family::weight].empty());
  print_annotators(pairs.annotator, results.columns[prefopt::pair_family::posterior]);
}

}  // namespace

void score_pairs(score_command const& command) {
  command.single_precision ? score_each_pair<float>(command) : score_each_pair<double>(command);
}
