#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <optional>
#include <string>
#include <utility>

#include "command_line.hpp"
#include "comparisons.hpp"
#include "csv_field.hpp"
#include "csv_table.hpp"
#include "input_error.hpp"
#include "input_text.hpp"
#include "number_text.hpp"
#include "plackett_luce_fit.hpp"
#include "ranking_file.hpp"
#include "rankings.hpp"
#include "run_program.hpp"
#include "standard_output.hpp"
#include "text_lines.hpp"
#include "win_graph.hpp"

namespace {

struct rank_command {
  std::string file = "-";
  bool has_rankings = false;
  std::optional<std::string> zero;
  std::size_t most_with_errors = 2000;
};

constexpr char const* about =
    "Worths of items from comparisons, P(i wins against j) = 1 / (1 + exp(worth_j - worth_i)) (Bradley-Terry), or from "
    "rankings: of the items that are left each comes next with a probability proportional to exp(worth) "
    "(Plackett-Luce). Standard output: item,worth,stderr and the log-likelihood. Standard error: a summary.";

constexpr char const* about_rankings =
    R"(Rankings, one a line, of any lengths and over any items; lines that begin with # are skipped:
  tea > coffee > water      the best first; "quotes" around a name with > = " or a number and a colon in front
  12: tea > coffee > water  the same 12 times (a number >= 0); all lines have a count, or none
  tea > coffee = water      tea was chosen from the three, the rest have no order; = in the last place only
Items that a line does not name were not there to be chosen. Files of PrefLib (soc, soi, toc, toi) are recognized by
their lines "# ALTERNATIVE NAME 1: ...": 12: 3,1,{2,4}.

Examples:
  prefopt_rank comparisons.csv
  prefopt_rank --zero tea comparisons.csv
  prefopt_rank rankings.txt
  prefopt_rank netflix.soc
  printf 'a>b>c\nb>c>a\nc>a\n' | prefopt_rank)";

/// Nothing where --help has been answered.
std::optional<rank_command> parse_rank_command(int argc, char** argv) {
  rank_command command;
  CLI::App app{about, "prefopt_rank"};
  app.footer(about_rankings);
  app.add_option(
      "FILE", command.file,
      "CSV with the columns winner, loser and, if wanted, count (a number >= 0) in any order, or rankings, one "
      "a line; \"-\" or nothing is standard input; lines that begin with # are skipped");
  app.add_flag("--rankings", command.has_rankings,
               "FILE has rankings, see below; known by itself where its first line has a >")
      ->disable_flag_override();
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

std::size_t zero_item(rankings const& data, std::optional<std::string> const& name) {
  if (!name) return 0;
  auto const found = std::ranges::find(data.items, *name);
  if (found != data.items.end()) return static_cast<std::size_t>(found - data.items.begin());
  constexpr std::size_t most = 10;
  std::string known;
  for (std::size_t item = 0; item < std::min(most, data.items.size()); ++item) {
    known.append(item == 0 ? "" : ", ").append(in_quotes(data.items[item]));
  }
  if (data.items.size() > most) known += " and " + std::to_string(data.items.size() - most) + " more";
  throw input_error{"--zero: no item " + in_quotes(*name) + ", expected one of " + known};
}

void print_summary(rankings const& data, plackett_luce_fit const& fit) {
  std::fprintf(stderr, "%-18s %zu\n", "items", data.items.size());
  if (are_comparisons(data)) {
    auto const deviance = deviance_of(data, fit);
    std::size_t const parameters = data.items.size() - 1;
    std::fprintf(stderr, "%-18s %.15g\n", "comparisons", data.total);
    std::fprintf(stderr, "%-18s %zu\n", "pairs compared", deviance.pairs);
    std::fprintf(stderr, "%-18s %.10g\n", "log-likelihood", fit.log_likelihood);
    std::fprintf(stderr, "%-18s %.6g on %zu degrees of freedom\n", "residual deviance", deviance.value,
                 deviance.pairs - parameters);
  } else {
    std::size_t shortest = data.items.size(), longest = 0;
    for (ranking const& r : data.ranked) {
      shortest = std::min(shortest, r.items.size());
      longest = std::max(longest, r.items.size());
    }
    std::fprintf(stderr, "%-18s %.15g\n", "rankings", data.total);
    std::fprintf(stderr, "%-18s %zu%s\n", "items in each", shortest,
                 longest == shortest ? "" : (" to " + std::to_string(longest)).c_str());
    std::fprintf(stderr, "%-18s %.10g, with equal worths %.10g\n", "log-likelihood", fit.log_likelihood,
                 fit.log_likelihood_of_equals);
  }
  if (data.total_without_choice > 0) {
    std::fprintf(stderr, "%-18s %.15g, which put no item above another\n", "not counted", data.total_without_choice);
  }
  if (fit.standard_error.empty()) {
    std::fprintf(stderr, "%-18s left out, more items than --stderr-limit\n", "stderr");
  }
}

rankings read(rank_command const& command) {
  input_text text = read_input(command.file);
  if (text_lines const lines{text}; command.has_rankings || holds_rankings(lines)) return read_rankings(lines);
  csv_table file{std::move(text)};
  return read_comparisons(file);
}

void rank(rank_command const& command) {
  rankings const data = read(command);
  std::string const shown = command.file == "-" ? "<stdin>" : command.file;
  if (!std::isfinite(data.total)) throw error_at(shown, 0, "count", "adds up to more than a number can hold");
  std::size_t const zero = zero_item(data, command.zero);
  if (auto const reason = why_no_maximum(data)) throw error_at(shown, 0, {}, *reason);
  plackett_luce_fit const fit = fit_plackett_luce(data, zero, command.most_with_errors);

  std::string output{"item,worth,stderr\n"};
  for (std::size_t item = 0; item < data.items.size(); ++item) {
    append_field(output, data.items[item]);
    output += ',' + number_text(fit.worth[item]) + ',';
    if (!fit.standard_error.empty()) output += number_text(fit.standard_error[item]);
    output += '\n';
  }
  output += "# log-likelihood: " + number_text(fit.log_likelihood) + "\n";
  write_standard_output(output);
  print_summary(data, fit);
}

}  // namespace

int main(int argc, char** argv) {
  return run_program("prefopt_rank", [&] {
    if (auto const command = parse_rank_command(argc, argv)) rank(*command);
    return 0;
  });
}
