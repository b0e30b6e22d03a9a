#include "score_command.hpp"

#include <CLI/CLI.hpp>
#include <cstddef>
#include <string_view>

#include "command_line.hpp"
#include "input_error.hpp"
#include "input_options.hpp"
#include "loss_options.hpp"
#include "loss_table.hpp"
#include "number_text.hpp"
#include "standard_output.hpp"
#include "token_losses.hpp"

namespace {

std::vector<double> reliability_numbers(std::string const& list) {
  std::vector<double> numbers;
  for (std::string const& item : split(list)) {
    auto const [value, problem] = parse_number<double>(item);
    if (!problem.empty()) throw input_error{"--reliability: got " + problem};
    if (!(value >= 0 && value <= 1)) {
      throw input_error{"--reliability: got " + in_quotes(item) + ", expected a number from 0 to 1"};
    }
    numbers.push_back(value);
  }
  return numbers;
}

std::string losses() {
  return "Losses of pairs:\n" + loss_table(loss_kind::pair) + "\nLosses of lists, with --list:\n" +
         loss_table(loss_kind::list) + "\nLosses of single completions, with --unpaired:\n" +
         loss_table(loss_kind::unpaired) + "\nLosses of tokens, with --tokens:\n" + token_loss_table();
}

/// "pairs", and how to ask for it.
std::string of_kind(loss_kind kind) {
  switch (kind) {
    case loss_kind::list:
      return "lists, which need --list";
    case loss_kind::unpaired:
      return "single completions, which need --unpaired";
    default:
      return "pairs";
  }
}

}  // namespace

std::optional<score_command> parse_score_command(int argc, char** argv) {
  score_command command;
  CLI::App app{
      "Any preference loss over a file of log-probabilities, CSV or JSON. Standard output: each pair's loss, gradient "
      "and implicit rewards, with --list each candidate's group, its loss and the gradient, with --unpaired each "
      "completion's loss, gradient and implicit reward, with --tokens each token's loss and gradient. Standard error: "
      "a summary.",
      "prefopt_score"};
  app.footer([] { return losses(); });

  std::string empty = "error", reliability;
  bool lists = false, unpaired = false, prints_losses = false;
  input_options input{app};
  input.add_file(
      "CSV with a header, or JSON objects, one a line or in one array, whose names are the columns (null counts as "
      "nan; NaN, Infinity and -Infinity are taken, too), plain, gzip or zstd; \"-\" or nothing is standard input. "
      "Columns in any order: chosen, rejected and what "
      "the loss reads; weight; lines that begin with # are skipped, and so is pandas' index without a name. Rows are "
      "read and scored some at a time, and the results are kept in a file in TMPDIR or /tmp until all rows are "
      "known to be right. Losses that compare each row with all others keep the numbers of all rows in memory, "
      "about as much as the file has: aot and aot_unpaired, which sort them; beta_dpo, kto with kl_logp, sft and "
      "with_nll with their mode 0, which need a mean before the first result. Of lists a group is kept, and 16 "
      "bytes of each that has ended");
  app.add_flag(
      "--list", lists,
      "ranked lists: a row is a candidate, those of a group follow one another. Columns: group (any text), "
      "logp, ref_logp, length, reward, target, weight (the same in all of a group); ref_logp, length and "
      "reward may be there for a loss that does not read them; one that reads length scores per token (sums: --ignore "
      "length, where length is optional)");
  app.add_flag(
         "--unpaired", unpaired,
         "single completions: a row is one. Columns: logp, and what the loss reads of ref_logp, label, target, "
         "length, kl_logp, ref_kl_logp; weight. A label is 1 or true for a good one, 0 or false for a bad one, or "
         "a number between")
      ->excludes("--list");
  // Asked for, these two are modes with options of their own.
  bool tokens = false;
  std::string advantages;
  app.add_flag("--tokens", tokens,
               "tokens of sampled sequences, with policy-gradient losses: a row is one; --tokens --help shows columns "
               "and options: aggregation, KL, correction, entropy");
  app.add_option("--advantages", advantages,
                 "no losses, but advantages of sampled completions from the columns group, reward and length; "
                 "--advantages --help shows the modes and options")
      ->type_name("MODE")
      ->expected(0, 1);
  loss_options const loss{app, "the loss, see below"};
  input.add_dtype();
  app.add_option("--reliability", reliability,
                 "for lcpo without that column: one value for all pairs, or a comma-separated one per annotator, whose "
                 "numbers 0, 1, ... are the column annotator")
      ->type_name("ETA");
  input.add_non_finite("a pair or group with inf or nan: skip gives zeros and leaves it out of the means",
                       {"skip", "propagate"});
  app.add_option("--empty", empty,
                 "a pair or group with a completion of length 0: as --non-finite; propagate gives it score 0")
      ->check(CLI::IsMember({"error", "skip", "propagate"}))
      ->capture_default_str();
  input.add_ignore();
  app.add_flag("--losses", prints_losses, "prints the losses with their formulas, parameters and columns");

  if (!parse_command_line(app, argc, argv)) return {};
  if (prints_losses) {
    write_standard_output(losses());
    return {};
  }
  std::string const name = app.count("--loss") == 0 ? "" : app["--loss"]->as<std::string>();
  if (find_loss(name) == nullptr && find_token_loss(name) != nullptr) {
    throw input_error{"--loss: " + name + " is a loss of tokens, which need --tokens"};
  }
  auto const kind = lists ? loss_kind::list : unpaired ? loss_kind::unpaired : loss_kind::pair;
  command.loss = loss.chosen({}, kind);
  if (command.loss.kind != kind) {
    bool const of_pairs = command.loss.kind == loss_kind::pair;
    throw input_error{"--loss: " + command.loss.name + " is a loss of " + of_kind(command.loss.kind) +
                      (of_pairs ? ", expected " : "; expected ") +
                      (lists      ? "with --list"
                       : unpaired ? "with --unpaired"
                                  : "without it") +
                      " one of " + names_of_losses(kind)};
  }
  if ((lists || unpaired) && app.count("--reliability") != 0) {
    throw input_error{std::string{"--reliability: not with "} +
                      (lists ? "--list, no list loss reads it" : "--unpaired, no unpaired loss reads it")};
  }
  input.write_to(command);
  command.empty = treatment_of(empty);
  if (app.count("--reliability") != 0) command.reliability = reliability_numbers(reliability);
  return command;
}
