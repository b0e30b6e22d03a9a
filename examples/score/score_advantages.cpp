#include "score_advantages.hpp"

#include <CLI/CLI.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <prefopt/token/gdpo_advantages.hpp>
#include <prefopt/token/whiten.hpp>
#include <string>
#include <string_view>
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
    "  leave_one_out_std     (R - mean of the others) / (std of the others + epsilon), epsilon 1e-6; a std of 0 does\n"
    "                        not divide\n"
    "  mean_scaled           (R - mean) / (mean + epsilon), epsilon 1e-6\n"
    "  length_weighted       R - (sum of length R) / (sum of length)\n"
    "  best_of_k             of the best (best - second best) / (std + epsilon), epsilon 1e-6, of the others 0\n"
    "  gpg                   (R - mean) * rewards / rewards that are not 0, of all rows\n"
    "  remax                 R - baseline, the reward of a greedy completion\n"
    "  gdpo                  of several rewards, reward_NAME each: the sum of weight * group_std, then less its mean "
    "of\n"
    "                        all rows, by its std of all rows + batch_epsilon, both epsilons 1e-4\n"
    "With --whiten REINFORCE++'s baseline form is centered.\n";

constexpr std::string_view of_several = "gdpo";

/// The library's modes, and the one of several rewards.
std::vector<std::string> mode_names() {
  auto const& names = prefopt::detail::advantage_mode_names;
  std::vector<std::string> all(std::begin(names), std::end(names));
  all.emplace_back(of_several);
  return all;
}

/// What a mode reads, asked as a loss is. A baseline is a reference of its own kind.
struct mode_columns {
  advantage_command const& command;

  std::string const& name() const { return command.mode; }
  bool needs(columns kind) const {
    return (kind == columns::length && command.mode == "length_weighted") ||
           (kind == columns::reference && command.mode == "remax");
  }
  bool reads(columns kind) const { return needs(kind) || (kind == columns::length && command.whitens); }
};

/// The file's columns of rewards: one, or all whose names begin so.
std::vector<std::string_view> reward_columns(column_table const& file, advantage_command const& command) {
  std::vector<std::string_view> names;
  for (std::string const& name : file.header()) {
    if (command.mode == of_several && name.starts_with("reward")) names.emplace_back(name);
  }
  if (names.empty()) names.emplace_back("reward");
  return names;
}

std::vector<score_column> known_columns(std::vector<std::string_view> const& rewards) {
  std::vector<score_column> all{{"group"}};
  for (auto const name : rewards) all.push_back({name});
  all.push_back({"length", prefopt::presence::as_read, columns::length});
  all.push_back({"baseline", prefopt::presence::as_read, columns::reference});
  return all;
}

bool has_epsilon(std::string const& mode) {
  return mode == of_several || prefopt::detail::standard_epsilon(prefopt::advantage_mode_of(mode)) != 0;
}

/// "group_std, epsilon 1e-04".
std::string description(advantage_command const& command) {
  std::string text = command.mode;
  if (has_epsilon(command.mode)) {
    double const standard = command.mode == of_several
                                ? prefopt::gdpo{}.group_epsilon
                                : prefopt::detail::standard_epsilon(prefopt::advantage_mode_of(command.mode));
    text += ", epsilon " + number_text(command.options.epsilon.value_or(standard));
  }
  if (command.mode == of_several) {
    text += ", batch_epsilon " + number_text(command.batch_epsilon.value_or(prefopt::gdpo{}.batch_epsilon));
  }
  return command.whitens ? text + ", whitened" : text;
}

/// The rows of a file.
template <class T>
struct reward_table {
  std::vector<std::vector<T>> rewards;
  std::vector<T> length, baseline;
  std::vector<std::int64_t> offsets;
  std::size_t skipped = 0;

  std::size_t rows() const { return rewards[0].size(); }
};

template <class T>
reward_table<T> read_rewards(column_table& file, std::vector<std::string_view> const& names,
                             advantage_command const& command) {
  auto const length_place = file.find("length"), baseline_place = file.find("baseline");
  std::vector<std::size_t> places;
  for (auto const name : names) places.push_back(*file.find(name));
  named_rows groups{file, *file.find("group"), "group"};
  reward_table<T> table;
  table.rewards.resize(names.size());
  while (file.next_row()) {
    if (groups.add_row()) table.offsets.push_back(static_cast<std::int64_t>(table.rows()));
    bool is_finite = true;
    auto const number = [&](std::size_t place) {
      T const value = file.number<T>(place);
      is_finite &= std::isfinite(value);
      if (!std::isfinite(value) && command.non_finite == prefopt::on_invalid::error) {
        throw file.error(place, "got " + in_quotes(file.text(place)) +
                                    ", expected a finite number (--non-finite skip allows others)");
      }
      return value;
    };
    for (std::size_t k = 0; k < places.size(); ++k) table.rewards[k].push_back(number(places[k]));
    if (baseline_place) table.baseline.push_back(number(*baseline_place));
    table.skipped += is_finite ? 0 : 1;
    if (!length_place) continue;
    T const tokens = file.number<T>(*length_place);
    if (!(tokens >= 0) || !std::isfinite(tokens) || tokens != std::trunc(tokens)) {
      throw file.error(*length_place,
                       "got " + in_quotes(file.text(*length_place)) + ", expected a whole number of tokens");
    }
    table.length.push_back(tokens);
  }
  if (table.rows() == 0) throw error_at(file.file(), 0, {}, "only a header, expected at least one row");
  table.offsets.push_back(static_cast<std::int64_t>(table.rows()));
  return table;
}

/// Whitens the rows' advantages; each counts as often as its length says, if there are lengths.
template <class T>
void whiten(std::vector<T>& advantage, std::vector<T> const& length) {
  if (length.empty()) return prefopt::whiten(prefopt::column<T>{advantage}, {}, advantage);
  std::vector<T> tokens;
  std::vector<std::size_t> last;
  for (std::size_t i = 0; i < advantage.size(); ++i) {
    tokens.insert(tokens.end(), static_cast<std::size_t>(length[i]), advantage[i]);
    last.push_back(tokens.size());
  }
  prefopt::whiten(prefopt::column<T>{tokens}, {}, tokens);
  // Of no token there is none.
  for (std::size_t i = 0; i < advantage.size(); ++i) advantage[i] = length[i] == 0 ? T(0) : tokens[last[i] - 1];
}

template <class T>
std::vector<T> advantages_of(reward_table<T> const& table, advantage_command const& command) {
  std::vector<T> advantage(table.rows());
  if (command.mode == of_several) {
    prefopt::gdpo how{.non_finite = command.non_finite};
    if (command.options.epsilon) how.group_epsilon = *command.options.epsilon;
    if (command.batch_epsilon) how.batch_epsilon = *command.batch_epsilon;
    std::vector<prefopt::column<T>> const rewards(table.rewards.begin(), table.rewards.end());
    prefopt::gdpo_advantages<T>(rewards, command.weights, table.offsets, advantage, how);
  } else {
    bool const reads_length = command.mode == "length_weighted";
    prefopt::advantages<T>(table.rewards[0], table.offsets, advantage, command.options,
                           reads_length ? prefopt::column<T>{table.length} : prefopt::column<T>{}, table.baseline);
  }
  if (command.whitens) whiten(advantage, table.length);
  return advantage;
}

template <class T>
void score_each_reward(advantage_command const& command) {
  auto const file = open_rows(command);
  std::string const note_on_index = ignore_columns(*file, command);
  auto const rewards = reward_columns(*file, command);
  auto const known = known_columns(rewards);
  mode_columns const mode{command};
  auto const not_read = take_unread_columns(*file, known, mode, columns::length | columns::reference);
  check_header(*file, known, mode);
  if (!command.weights.empty() && command.weights.size() != rewards.size()) {
    throw input_error{"--weights: got " + std::to_string(command.weights.size()) + ", expected one for each of the " +
                      std::to_string(rewards.size()) + " columns of rewards"};
  }
  auto const table = read_rewards<T>(*file, rewards, command);
  auto const advantage = advantages_of(table, command);

  held_output output;
  output.append("advantage\n");
  for (T const value : advantage) output.append(number_text(value) + "\n");
  output.release();
  print_line("advantages", description(command));
  print_count("groups", table.offsets.size() - 1);
  print_count("rewards", table.rows());
  print_count("skipped", table.skipped);
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
  advantage_command command;
  std::string lone = "zero";
  app.add_option("--advantages", command.mode, "what becomes of the rewards, see below")
      ->check(CLI::IsMember(mode_names()))
      ->type_name("MODE")
      ->expected(0, 1);
  input_options input{app};
  input.add_file(
      "CSV with a header, or JSON objects, as without --advantages: a row is a completion. Columns in any order: group "
      "(any text), whose rows follow one another, reward; length, the tokens of the completion, for length_weighted "
      "and "
      "--whiten; baseline, the reward of a greedy completion of the same prompt, for remax. All rows are kept in "
      "memory");
  number_options numbers{app};
  numbers.add("epsilon", "added to what is divided by", "VALUE", "Options");
  numbers.add("batch_epsilon", "of gdpo", "VALUE", "Options");
  app.add_option("--weights", command.weights, "of gdpo: one for each column of rewards, with commas; without it all 1")
      ->delimiter(',')
      ->type_name("VALUES");
  app.add_flag(
      "--whiten", command.whitens,
      "then brings them to mean 0 and std 1, over the tokens of all rows where there is length, else over all rows");
  app.add_option("--lone", lone, "the advantage of a completion that is alone in its group: 0, or its reward")
      ->check(CLI::IsMember({"zero", "reward"}))
      ->capture_default_str();
  input.add_dtype();
  input.add_non_finite("a reward that is inf or nan: skip gives 0 and leaves it out of the means", {"skip"});
  input.add_ignore();
  if (!parse_command_line(app, argc, argv)) return {};
  refuse_extras(app);
  if (command.mode.empty()) throw input_error{"--advantages: missing its mode, see --advantages --help"};
  input.write_to(command);
  auto& options = command.options;
  bool const has_several = command.mode == of_several;
  if (!has_several) options.mode = prefopt::advantage_mode_of(command.mode);
  options.epsilon = numbers.value("epsilon");
  options.lone = lone == "reward" ? prefopt::lone_sample::reward : prefopt::lone_sample::zero;
  options.non_finite = command.non_finite;
  command.batch_epsilon = numbers.value("batch_epsilon");
  auto const note_unread = [&](std::string_view option, bool is_given, bool is_read) {
    if (is_given && !is_read) command.notes.push_back("note: " + command.mode + " has no " + std::string{option});
  };
  note_unread("--epsilon", options.epsilon.has_value(), has_epsilon(command.mode));
  note_unread("--batch_epsilon", command.batch_epsilon.has_value(), has_several);
  note_unread("--weights", !command.weights.empty(), has_several);
  note_unread("--lone", lone == "reward", !has_several && command.mode != "remax");
  if (!has_several) command.weights.clear();
  return command;
}

void score_advantages(advantage_command const& command) {
  command.single_precision ? score_each_reward<float>(command) : score_each_reward<double>(command);
}
