#include "score_pairs.hpp"

#include <map>
#include <string>
#include <vector>

#include "column_table.hpp"
#include "example_results.hpp"
#include "input_error.hpp"
#include "loss_choice.hpp"
#include "pair_reader.hpp"
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
class annotator_tallies {
 public:
  template <class T>
  void add(std::vector<row_annotator> const& annotators, std::vector<T> const& posterior) {
    for (std::size_t i = 0; i < annotators.size(); ++i) {
      auto& of_this = tallies_[annotators[i].name];
      if (annotators[i].is_skipped) continue;
      ++of_this.pairs;
      of_this.posterior += static_cast<double>(posterior[i]);
    }
  }

  void print() const {
    for (auto const& [annotator, all] : tallies_) {
      if (all.pairs == 0) {
        std::fprintf(stderr, "%-16s no pair\n", ("annotator " + on_one_line(annotator)).c_str());
        continue;
      }
      std::fprintf(stderr, "%-16s %.6g, the mean posterior of %zu %s\n",
                   ("annotator " + on_one_line(annotator)).c_str(), all.posterior / static_cast<double>(all.pairs),
                   all.pairs, all.pairs == 1 ? "pair" : "pairs");
    }
  }

 private:
  struct tally {
    std::size_t pairs = 0;
    double posterior = 0;
  };
  std::map<std::string, tally> tallies_;
};

template <class T>
void score_each_pair(score_command const& command) {
  using family = prefopt::pair_family;
  auto const loss = make_pair_loss(command.loss);
  auto const file = open_rows(command);
  pair_reader<T> reader{*file, loss, command};
  annotator_tallies annotators;
  auto const report = score_examples<family, T>(
      *file, loss, command, [&](number_table<family, T>& pairs) { reader.read(pairs); },
      [&](example_results<family, T> const& results) {
        annotators.add(reader.take_annotators(), results.columns[family::posterior]);
      });
  print_summary(command.loss, report, file->find("weight").has_value());
  annotators.print();
  print_notes(reader.notes());
}

}  // namespace

void score_pairs(score_command const& command) {
  command.single_precision ? score_each_pair<float>(command) : score_each_pair<double>(command);
}
