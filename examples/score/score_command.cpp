#include "score_command.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <sstream>
#include <string_view>

#include "csv_number.hpp"
#include "csv_output.hpp"
#include "input_error.hpp"
#include "loss_table.hpp"

namespace {

std::vector<std::string> split(std::string const& list) {
  std::vector<std::string> items;
  std::istringstream rest{list};
  for (std::string item; std::getline(rest, item, ',');) items.push_back(item);
  return items;
}

double option_number(std::string const& option, std::string_view text) {
  auto const [value, problem] = parse_number<double>(text);
  if (!problem.empty()) throw input_error{option + ": got " + problem};
  return value;
}

std::vector<double> reliability_numbers(std::string const& list) {
  std::vector<double> numbers;
  for (std::string const& item : split(list)) {
    double const value = option_number("--reliability", item);
    if (!(value >= 0 && value <= 1)) {
      throw input_error{"--reliability: got " + in_quotes(item) + ", expected a number from 0 to 1"};
    }
    numbers.push_back(value);
  }
  return numbers;
}

prefopt::on_invalid treatment(std::string_view name) {
  if (name == "skip") return prefopt::on_invalid::skip;
  return name == "propagate" ? prefopt::on_invalid::propagate : prefopt::on_invalid::error;
}

bool has_parameter(prefopt::pair_loss_card const& loss, std::string_view name) {
  return std::ranges::find(loss.parameters, name, &prefopt::parameter_card::name) != loss.parameters.end();
}

/// The names of all parameters of all losses, each once.
std::vector<std::string_view> parameter_names() {
  std::vector<std::string_view> names;
  for (auto const& loss : prefopt::pair_loss_cards()) {
    for (auto const& parameter : loss.parameters) {
      if (std::ranges::find(names, parameter.name) == names.end()) names.push_back(parameter.name);
    }
  }
  return names;
}

/// The names of the losses that satisfy the condition, with commas.
template <class Condition>
std::string names_of_losses(Condition condition) {
  std::string names;
  for (auto const& loss : prefopt::pair_loss_cards()) {
    if (condition(loss)) names.append(names.empty() ? "" : ", ").append(loss.card.name);
  }
  return names;
}

/// "--beta, --gamma": the parameters that the loss and its base take.
std::string parameters_of(score_command const& command) {
  std::string names;
  for (auto const& loss : prefopt::pair_loss_cards()) {
    if (loss.card.name != command.loss && loss.card.name != command.base) continue;
    for (auto const& parameter : loss.parameters) names.append(names.empty() ? "--" : ", --").append(parameter.name);
  }
  return names;
}

}  // namespace

std::optional<score_command> parse_score_command(int argc, char** argv) {
  score_command command;
  CLI::App app{
      "Any preference loss over a CSV file of log-probabilities. Standard output: each pair's loss, gradient and "
      "implicit rewards. Standard error: a summary.",
      "prefopt_score"};
  app.footer([] { return "Losses:\n" + loss_table(); });
  app.allow_extras();  // reported below, with what was expected

  std::string dtype = "f64", non_finite = "error", empty = "error", reliability, ignored;
  bool list = false;
  app.add_option(
      "FILE", command.file,
      "CSV with a header; \"-\" or nothing is standard input. Columns in any order: chosen, rejected and what "
      "the loss reads; weight; lines that begin with # are skipped");
  app.add_option("--loss", command.loss, "the loss, see below")->type_name("NAME");
  app.add_option("--base", command.base, "the loss that a modifier modifies")->type_name("NAME");
  app.add_option("--dtype", dtype, "computes in float or double")
      ->check(CLI::IsMember({"f32", "f64"}))
      ->capture_default_str();
  app.add_option("--reliability", reliability,
                 "for lcpo without that column: one value for all pairs, or a comma-separated one per annotator, whose "
                 "numbers 0, 1, ... are the column annotator")
      ->type_name("ETA");
  app.add_option("--non-finite", non_finite, "a row with inf or nan: skip gives zeros and leaves it out of the means")
      ->check(CLI::IsMember({"error", "skip", "propagate"}))
      ->capture_default_str();
  app.add_option("--empty", empty, "a row with a completion of length 0: as --non-finite; propagate gives it score 0")
      ->check(CLI::IsMember({"error", "skip", "propagate"}))
      ->capture_default_str();
  app.add_option("--ignore", ignored, "columns of the file to leave out")->type_name("NAME[,NAME]");
  app.add_flag("--list", list, "prints the losses with their formulas, parameters and columns");

  std::vector<std::string_view> const names = parameter_names();
  std::vector<std::string> values(names.size());
  for (std::size_t i = 0; i < names.size(); ++i) {
    app.add_option("--" + std::string{names[i]}, values[i],
                   "of " + names_of_losses([&](auto const& loss) { return has_parameter(loss, names[i]); }))
        ->type_name("VALUE")
        ->group("Parameters of the losses");
  }

  try {
    app.parse(argc, argv);
  } catch (CLI::Success const& answered) {
    app.exit(answered);
    return {};
  } catch (CLI::ParseError const& error) {
    throw input_error{error.what()};
  }
  if (list) {
    write_standard_output(loss_table());
    return {};
  }
  if (command.loss.empty()) {
    throw input_error{"--loss: missing, expected one of " + names_of_losses([](auto const&) { return true; })};
  }
  for (std::string const& extra : app.remaining()) {
    if (!extra.starts_with('-')) throw input_error{in_quotes(extra) + ": unexpected argument"};
    std::string const known = parameters_of(command);
    throw input_error{extra + ": unknown option" +
                      (known.empty() ? ", see --help" : "; the parameters of " + command.loss + " are " + known)};
  }

  for (std::size_t i = 0; i < names.size(); ++i) {
    std::string const option = "--" + std::string{names[i]};
    if (app.count(option) != 0) command.parameters.emplace_back(names[i], option_number(option, values[i]));
  }
  command.single_precision = dtype == "f32";
  command.non_finite = treatment(non_finite);
  command.empty = treatment(empty);
  if (app.count("--reliability") != 0) command.reliability = reliability_numbers(reliability);
  command.ignored_columns = split(ignored);
  return command;
}
