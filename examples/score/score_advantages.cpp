#include "score_advantages.hpp"

#include <CLI/CLI.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "column_table.hpp"
#include "command_line.hpp"
#include "held_output.hpp"
#include "input_error.hpp"
#include "input_options.hpp"
#include "named_rows.hpp"
#include "number_options.hpp"
#include "number_text.hpp"
#include "score_columns.hpp"
#include "summary.hpp"

namespace {

using prefopt::advantage_mode;
using prefopt::columns;

constexpr std::string_view formulas =
    "R is a row's reward, K the number of rows of its group, mean and std the group's; std divides by K - 1:\n"
    "  centered              R - mean: Dr. GRPO\n"
    "  group_std             (R - mean) / (std + epsilon), epsilon 1e-4: GRPO\n"
    "  group_std_population  the same with a std that divides by K, epsilon 1e-8\n"
    "  batch_std             (R - mean) / (std of all rewards + epsilon), epsilon 1e-4\n"
    "  leave_one_out         R - mean of the others: RLOO\n"
    "  mean_scaled           (R - mean) / (mean + epsilon), epsilon 1e-6\n"
    "  length_weighted       R - (sum of length R) / (sum of length)\n"
    "  best_of_k             of the best (best - second best) / (std + epsilon), epsilon 1e-6, of the others 0\n"
    "  non_zero_scaled       (R - mean) * rewards / rewards that are not 0, of all rows: GPG\n";

/// What a mode reads, asked as a loss is.
struct mode_columns {
  advantage_mode mode;

  std::string name() const { return std::string{name_of(mode)}; }
  bool needs(columns kind) const { return kind == columns::length && mode == advantage_mode::length_weighted; }
  bool reads(columns kind) const { return needs(kind); }
};

std::vector<score_column> const& known_columns() {
  static std::vector<score_column> const all{
      {"group"}, {"reward"}, {"length", prefopt::presence::as_read, columns::length}};
  return all;
}

bool has_epsilon(advantage_mode mode) { return prefopt::detail::standard_epsilon(mode) != 0; }

template <class T>
void score_each_reward(advantage_command const& command) {
  auto const file = open_rows(command);
  std::string const note_on_index = ignore_columns(*file, command);
  mode_columns const mode{command.options.mode};
  auto const not_read = take_unread_columns(*file, known_columns(), mode, columns::length);
  check_header(*file, known_columns(), mode);
  std::size_t const reward_place = *file->find("reward");
  auto const length_place = file->find("length");
  named_rows groups{*file, *file->find("group"), "group"};

  std::vector<T> reward, length;
  std::vector<std::int64_t> offsets;
  std::size_t skipped = 0;
  while (file->next_row()) {
    if (groups.add_row()) offsets.push_back(static_cast<std::int64_t>(reward.size()));
    T const value = file->number<T>(reward_place);
    bool const is_finite = std::isfinite(value);
    if (!is_finite && command.non_finite == prefopt::on_invalid::error) {
      throw file->error(reward_place, "got " + in_quotes(file->text(reward_place)) +
                                          ", expected a finite number (--non-finite skip allows others)");
    }
    skipped += is_finite ? 0 : 1;
    reward.push_back(value);
    if (!length_place) continue;
    T const tokens = file->number<T>(*length_place);
    if (!(tokens >= 0) || !std::isfinite(tokens) || tokens != std::trunc(tokens)) {
      throw file->error(*length_place,
                        "got " + in_quotes(file->text(*length_place)) + ", expected a whole number of tokens");
    }
    length.push_back(tokens);
  }
  if (reward.empty()) throw error_at(file->file(), 0, {}, "only a header, expected at least one row");
  std::size_t const group_count = offsets.size();
  offsets.push_back(static_cast<std::int64_t>(reward.size()));
  std::vector<T> advantage(reward.size());
  prefopt::advantages<T>(reward, offsets, advantage, command.options, length);

  held_output output;
  output.append("advantage\n");
  for (T const value : advantage) output.append(number_text(value) + "\n");
  output.release();
  double const epsilon = command.options.epsilon.value_or(prefopt::detail::standard_epsilon(mode.mode));
  print_line("advantages", mode.name() + (has_epsilon(mode.mode) ? ", epsilon " + number_text(epsilon) : ""));
  print_count("groups", group_count);
  print_count("rewards", reward.size());
  print_count("skipped", skipped);
  print_not_read(not_read);
  print_notes(command.notes);
  print_notes({note_on_index, file->note()});
}

}  // namespace

std::optional<advantage_command> parse_advantage_command(int argc, char** argv) {
  CLI::App app{
      "Advantages of sampled completions from their rewards. Standard output: the advantage of each row. Standard "
      "error: "
      "a summary.",
      "prefopt_score --advantages"};
  app.footer([] { return std::string{formulas}; });
  std::string mode, lone = "zero";
  auto const& names = prefopt::detail::advantage_mode_names;
  app.add_option("--advantages", mode, "what becomes of the rewards, see below")
      ->check(CLI::IsMember(std::vector<std::string>(std::begin(names), std::end(names))))
      ->type_name("MODE")
      ->expected(0, 1);
  input_options input{app};
  input.add_file(
      "CSV with a header, or JSON objects, as without --advantages: a row is a completion. Columns in any order: group "
      "(any text), whose rows follow one another, reward; length, the tokens of the completion, for length_weighted. "
      "All rows are kept in memory");
  number_options numbers{app};
  numbers.add("epsilon", "added to what is divided by", "VALUE", "Options");
  app.add_option("--lone", lone, "the advantage of a completion that is alone in its group: 0, or its reward")
      ->check(CLI::IsMember({"zero", "reward"}))
      ->capture_default_str();
  input.add_dtype();
  input.add_non_finite("a reward that is inf or nan: skip gives 0 and leaves it out of the means", {"skip"});
  input.add_ignore();
  if (!parse_command_line(app, argc, argv)) return {};
  refuse_extras(app);
  if (mode.empty()) throw input_error{"--advantages: missing its mode, see --advantages --help"};
  advantage_command command;
  input.write_to(command);
  auto& options = command.options;
  options.mode = prefopt::advantage_mode_of(mode);
  options.epsilon = numbers.value("epsilon");
  options.lone = lone == "reward" ? prefopt::lone_sample::reward : prefopt::lone_sample::zero;
  options.non_finite = command.non_finite;
  if (options.epsilon && !has_epsilon(options.mode)) {
    command.notes.push_back("note: " + mode + " has no --epsilon");
  }
  return command;
}

void score_advantages(advantage_command const& command) {
  command.single_precision ? score_each_reward<float>(command) : score_each_reward<double>(command);
}
