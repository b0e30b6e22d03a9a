#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bootstrap.hpp"
#include "column_table.hpp"
#include "comparisons.hpp"
#include "file_kind.hpp"
#include "fitted_category.hpp"
#include "input_error.hpp"
#include "plackett_luce_likelihood.hpp"
#include "progress.hpp"
#include "rank_command.hpp"
#include "rank_picture.hpp"
#include "rank_report.hpp"
#include "ranking_file.hpp"
#include "run_program.hpp"
#include "standard_output.hpp"
#include "text_lines.hpp"
#include "win_graph.hpp"

namespace {

/// Whether the text begins as one of JSON objects does, behind blanks and comments. Not every one that begins with a
/// bracket: "[a] > b" is a ranking.
bool begins_as_objects(std::string_view begin) {
  for (constexpr std::string_view blanks = " \t\r\n";;) {
    begin.remove_prefix(std::min(begin.find_first_not_of(blanks), begin.size()));
    if (!begin.starts_with('#')) break;
    begin.remove_prefix(std::min(begin.find_first_of("\r\n"), begin.size()));
  }
  if (begin.empty()) return false;
  std::size_t const second = begin.find_first_not_of(" \t\r\n", 1);
  char const next = second == begin.npos ? '\0' : begin[second];
  return (begin.starts_with('{') && (next == '"' || next == '}')) ||
         (begin.starts_with('[') && (next == '{' || next == ']'));
}

comparison_categories read(rank_command const& command) {
  constexpr std::size_t enough = std::size_t{1} << 16;  // to tell rankings from comparisons
  text_limits const limits{.text = std::numeric_limits<std::uint64_t>::max()};
  auto text = std::make_unique<text_stream>(command.file, limits, line_ends::any);
  std::string const file = text->file();
  text->take_mark();
  std::string_view const begin = text->ahead(enough);
  bool const has_rankings =
      command.has_rankings || (!begins_as_objects(begin) && holds_rankings(text_lines{file, std::string{begin}}));
  if (has_rankings && is_of_another_kind(begin)) {
    throw error_at(file, 0, {}, "seems to be " + kind_text(begin, "rankings, one a line, plain, gzip or zstd"));
  }
  bool const has_ties = command.ties != tie_model::none;
  if (has_rankings) {
    if (command.by) throw error_at(file, 0, {}, "--by: rankings have no columns");
    return {{{"", read_rankings(text_lines{*text}, {has_ties, command.others})}}, {}};
  }
  if (command.others != unnamed::absent)
    throw error_at(file, 0, {}, "--unnamed: comparisons name both items, expected rankings");
  return read_comparisons(*open_table(std::move(text), object_names::any), {has_ties, command.by});
}

/// `where`: the category; empty without.
std::size_t zero_item(rankings const& data, std::string const& where, rank_command const& command) {
  if (!command.zero) return 0;
  auto const found = std::ranges::find(data.items, *command.zero);
  if (found != data.items.end()) return static_cast<std::size_t>(found - data.items.begin());
  constexpr std::size_t most = 10;
  std::string known;
  for (std::size_t item = 0; item < std::min(most, data.items.size()); ++item) {
    known.append(item == 0 ? "" : ", ").append(in_quotes(data.items[item]));
  }
  if (data.items.size() > most) known += " and " + std::to_string(data.items.size() - most) + " more";
  throw input_error{std::string{command.elo ? "--anchor: " : "--zero: "} + (where.empty() ? "" : where + " has ") +
                    "no item " + in_quotes(*command.zero) + ", expected one of " + known};
}

fitted_category fitted(std::string name, rankings data, std::size_t zero, rank_command const& command, progress& bar) {
  fitted_category category{.name = std::move(name), .data = std::move(data), .zero_item = zero};
  category.terms = choices_of(category.data, command.ties, command.before);
  std::vector<double> counts;
  for (ranking const& r : category.data.ranked) counts.push_back(r.count);
  category.counts = category.terms.counts(counts);
  if (command.before.kind == prior::form::none) {
    if (auto const reason = why_no_maximum(category.terms, category.counts, category.data.items))
      throw input_error{*reason};
  }
  fit_settings settings{.zero_item = category.zero_item, .most_with_errors = command.most_with_errors};
  category.fit = fit_worths(category.terms, category.counts, command.before, settings);
  if (command.ties == tie_model::none)
    category.fit.log_likelihood = plackett_luce_likelihood(category.data, category.fit.worth);
  if (command.bootstrap_rounds > 0) {
    settings.start = &category.fit.position;
    category.drawn = bootstrap(category.data, category.terms, command.before, settings,
                               {command.bootstrap_rounds, command.threads, command.seed},
                               [&](std::size_t done) { bar.show("bootstrap", done, command.bootstrap_rounds); });
    bar.clear();
  }
  return category;
}

void rank(rank_command const& command) {
  if (command.picture) prepare_pictures(*command.picture);
  auto [categories, notes] = read(command);
  std::string const shown = command.file == "-" ? "<stdin>" : command.file;
  progress bar;
  for (std::string const& note : notes) bar.line(note);
  std::vector<fitted_category> fits;
  for (auto& [name, data] : categories) {
    std::string const where = command.by ? *command.by + " " + in_quotes(name) : "";
    if (!std::isfinite(data.total))
      throw error_at(shown, 0, command.by ? where + ": count" : "count", "adds up to more than a number can hold");
    std::size_t const zero = zero_item(data, where, command);
    try {
      fits.push_back(fitted(std::move(name), std::move(data), zero, command, bar));
    } catch (input_error const& error) {
      throw error_at(shown, 0, where, error.what());
    }
  }
  write_standard_output(rank_table(fits, command));
  for (std::size_t i = 0; i < fits.size(); ++i) {
    print_summary(fits[i], command);
    if (command.picture) std::fprintf(stderr, "%s\n", draw_ranking(fits[i], i + 1, command).c_str());
  }
}

}  // namespace

int main(int argc, char** argv) {
  return run_program("prefopt_rank", [&] {
    if (auto const command = parse_rank_command(argc, argv)) rank(*command);
    return 0;
  });
}
