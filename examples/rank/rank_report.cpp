#include "rank_report.hpp"

#include <algorithm>
#include <cstdio>
#include <vector>

#include "csv_field.hpp"
#include "input_error.hpp"
#include "number_text.hpp"
#include "plackett_luce_likelihood.hpp"
#include "residual_deviance.hpp"

namespace {

/// Those of its digits that are right whatever the data: 12.
std::string error_text(double error) {
  char text[32];
  std::snprintf(text, sizeof text, "%.12g", error);
  return text;
}

void append_category(std::string& output, fitted_category const& category, rank_command const& command) {
  auto const& fit = category.fit;
  for (std::size_t const item : category.order(command.best_first)) {
    if (command.by) {
      append_field(output, category.name);
      output += ',';
    }
    append_field(output, category.data.items[item]);
    output += ',' + number_text(shown_worth(fit.worth[item], command.elo)) + ',';
    if (!fit.standard_error.empty()) output += error_text(shown_error(fit.standard_error[item], command.elo));
    if (auto const& drawn = category.drawn) {
      for (double const bound : {drawn->lower[item], drawn->upper[item]}) {
        output += ',' + number_text(shown_worth(bound, command.elo));
      }
      output += ',' + std::to_string(drawn->rank[item]);
    }
    output += '\n';
  }
}

void append_comments(std::string& output, fitted_category const& category, rank_command const& command) {
  std::string const of = command.by ? " of " + in_quotes(category.name) : "";
  for (auto const& [name, value, error] : category.fit.ties) {
    output += "# " + name + of + ": " + number_text(value) + ", stderr " + error_text(error) + "\n";
  }
  output += "# log-likelihood" + of + ": " + number_text(category.fit.log_likelihood) + "\n";
}

void print(char const* what, std::string const& value) { std::fprintf(stderr, "%-18s %s\n", what, value.c_str()); }

template <class... Numbers>
std::string formatted(char const* format, Numbers... numbers) {
  char text[128];
  std::snprintf(text, sizeof text, format, numbers...);
  return text;
}

}  // namespace

std::string rank_table(std::vector<fitted_category> const& categories, rank_command const& command) {
  std::string output;
  if (command.by) {
    append_field(output, *command.by);
    output += ',';
  }
  output += command.elo ? "item,rating,stderr" : "item,worth,stderr";
  output += command.bootstrap_rounds > 0 ? ",lower,upper,rank\n" : "\n";
  for (auto const& category : categories) append_category(output, category, command);
  for (auto const& category : categories) append_comments(output, category, command);
  return output;
}

void print_summary(fitted_category const& category, rank_command const& command) {
  auto const& [name, data, terms, counts, zero_item, fit, drawn] = category;
  if (command.by) print("category", in_quotes(*command.by) + " " + in_quotes(name));
  print("items", std::to_string(data.items.size()));
  if (are_comparisons(data)) {
    auto const deviance = deviance_of(terms, counts, fit.log_likelihood, data.items.size() - 1 + fit.ties.size());
    print("comparisons", formatted("%.15g", data.total));
    print("pairs compared", std::to_string(deviance.pairs));
    print("log-likelihood", formatted("%.10g", fit.log_likelihood));
    if (command.before.kind == prior::form::none) {
      print("residual deviance", formatted("%.6g on %zu %s of freedom", deviance.value, deviance.degrees_of_freedom,
                                           deviance.degrees_of_freedom == 1 ? "degree" : "degrees"));
    }
  } else {
    std::size_t shortest = data.items.size(), longest = 0;
    for (ranking const& r : data.ranked) {
      shortest = std::min(shortest, r.items.size());
      longest = std::max(longest, r.items.size());
    }
    print("rankings", formatted("%.15g", data.total));
    print("items in each", std::to_string(shortest) + (longest == shortest ? "" : " to " + std::to_string(longest)));
    std::string equals;
    if (command.ties == tie_model::none) {
      equals = formatted(", with equal worths %.10g",
                         plackett_luce_likelihood(data, std::vector<double>(data.items.size())));
    }
    print("log-likelihood", formatted("%.10g", fit.log_likelihood) + equals);
  }
  for (auto const& [parameter, value, error] : fit.ties) {
    print(parameter.c_str(), formatted("%.6g, stderr %.6g", value, error));
  }
  if (has_parameters(command.ties) && fit.ties.empty()) print("ties", "none were seen");
  if (data.total_without_choice > 0) {
    print("not counted", formatted("%.15g, which put no item above another", data.total_without_choice));
  }
  if (fit.standard_error.empty()) print("stderr", "left out, more items than --stderr-limit");
  if (drawn) {
    std::size_t const left_out = drawn->rounds_without_maximum;
    print("bootstrap", std::to_string(command.bootstrap_rounds) + " rounds" +
                           (left_out == 0 ? ""
                                          : ", of which " + std::to_string(left_out) +
                                                " had no maximum and are left out (--prior ghost gives one)"));
  }
}
