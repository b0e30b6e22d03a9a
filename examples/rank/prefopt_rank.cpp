#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <optional>
#include <string>

#include "bradley_terry_fit.hpp"
#include "command_line.hpp"
#include "comparisons.hpp"
#include "csv_field.hpp"
#include "csv_table.hpp"
#include "input_error.hpp"
#include "number_text.hpp"
#include "run_program.hpp"
#include "standard_output.hpp"
#include "win_graph.hpp"

namespace {

struct rank_command {
  std::string file = "-";
  std::optional<std::string> zero;
  std::size_t most_with_errors = 2000;
};

/// Nothing where --help has been answered.
std::optional<rank_command> parse_rank_command(int argc, char** argv) {
  rank_command command;
  CLI::App app{
      "Bradley-Terry worths from comparisons: P(i wins against j) = 1 / (1 + exp(worth_j - worth_i)). Standard output: "
      "item,worth,stderr and the log-likelihood. Standard error: a summary.",
      "prefopt_rank"};
  app.add_option("FILE", command.file,
                 "CSV with the columns winner, loser and, if wanted, count (a number >= 0) in any order; \"-\" or "
                 "nothing is standard input; lines that begin with # are skipped");
  app.add_option("--zero", command.zero, "the item whose worth is 0; by default the first one in the file")
      ->type_name("ITEM");
  app.add_option("--stderr-limit", command.most_with_errors,
                 "with more items than this the column stderr stays empty: it takes a dense matrix of items x items")
      ->type_name("ITEMS")
      ->capture_default_str();
  if (!parse_command_line(app, argc, argv)) return {};
  refuse_extras(app);
  return command;
}

std::size_t zero_item(comparisons const& games, std::optional<std::string> const& name) {
  if (!name) return 0;
  auto const found = std::ranges::find(games.items, *name);
  if (found != games.items.end()) return static_cast<std::size_t>(found - games.items.begin());
  constexpr std::size_t most = 10;
  std::string known;
  for (std::size_t item = 0; item < std::min(most, games.items.size()); ++item) {
    known.append(item == 0 ? "" : ", ").append(in_quotes(games.items[item]));
  }
  if (games.items.size() > most) known += " and " + std::to_string(games.items.size() - most) + " more";
  throw input_error{"--zero: no item " + in_quotes(*name) + ", expected one of " + known};
}

void print_summary(comparisons const& games, bradley_terry_fit const& fit) {
  auto const deviance = deviance_of(games, fit);
  std::size_t const parameters = games.items.size() - 1;
  std::fprintf(stderr, "%-18s %zu\n", "items", games.items.size());
  std::fprintf(stderr, "%-18s %.15g\n", "comparisons", games.total);
  std::fprintf(stderr, "%-18s %zu\n", "pairs compared", deviance.pairs);
  std::fprintf(stderr, "%-18s %.10g\n", "log-likelihood", fit.log_likelihood);
  std::fprintf(stderr, "%-18s %.6g on %zu degrees of freedom\n", "residual deviance", deviance.value,
               deviance.pairs - parameters);
  if (fit.standard_error.empty()) {
    std::fprintf(stderr, "%-18s left out, more items than --stderr-limit\n", "stderr");
  }
}

void rank(rank_command const& command) {
  csv_table file{command.file};
  comparisons const games = read_comparisons(file);
  std::size_t const zero = zero_item(games, command.zero);
  if (auto const reason = why_no_maximum(games)) throw at(file.file(), 0, {}, *reason);
  bradley_terry_fit const fit = fit_bradley_terry(games, zero, command.most_with_errors);

  std::string output{"item,worth,stderr\n"};
  for (std::size_t item = 0; item < games.items.size(); ++item) {
    append_field(output, games.items[item]);
    output += ',' + number_text(fit.worth[item]) + ',';
    if (!fit.standard_error.empty()) output += number_text(fit.standard_error[item]);
    output += '\n';
  }
  output += "# log-likelihood: " + number_text(fit.log_likelihood) + "\n";
  write_standard_output(output);
  print_summary(games, fit);
}

}  // namespace

int main(int argc, char** argv) {
  return run_program("prefopt_rank", [&] {
    if (auto const command = parse_rank_command(argc, argv)) rank(*command);
    return 0;
  });
}
